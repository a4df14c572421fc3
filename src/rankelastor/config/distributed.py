"""Settings of training by several processes."""

from typing import Literal, Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings


class DistributedSettings(Settings):
    """How several processes share a training; the number of processes is said when they are started."""

    embedding: Literal["replicated", "sharded"] = Field(
        "replicated",
        description="Where embedding rows lie: `replicated` keeps the whole table in each process, so that the steps "
        "are those of one process; `sharded` keeps each row in one process, by TorchRec, for tables that one process "
        "cannot hold. Sharded rows are updated by row-wise Adagrad (`training.optimiser.embedding_rule`) and take no "
        "part in clipping, in one process too.",
    )
    plan: Literal["auto", "row_wise", "table_wise", "column_wise"] = Field(
        "auto",
        description="How sharded tables, one for each field, are divided: `row_wise` divides the rows of each among "
        "all processes, `table_wise` gives whole tables to processes, `column_wise` divides each row, and `auto` asks "
        "TorchRec's planner, which divides rows or keeps tables whole.",
    )

    @model_validator(mode="after")
    def _plan_what_is_sharded(self) -> Self:
        if self.plan != "auto" and self.embedding != "sharded":
            raise ValueError(
                f"plan must be left out with embedding=replicated, but {self.plan} was given: it divides sharded "
                "tables; try embedding=sharded"
            )
        return self

    @property
    def is_sharded(self) -> bool:
        """Whether each row lies in one process."""
        return self.embedding == "sharded"

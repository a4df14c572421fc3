"""Settings of training by several processes."""

from typing import Literal, Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings


class DistributedSettings(Settings):
    """How several processes share a training; the number of processes is said when they are started.

    One process trains the same with any of these settings.
    """

    embedding: Literal["replicated", "sharded"] = Field(
        "replicated",
        description="Where embedding rows lie: `replicated` keeps the whole table in each process, so that the steps "
        "are those of one process; `sharded` would keep each row in one process, and is refused so far.",
    )
    plan: Literal["auto", "row_wise", "table_wise", "column_wise"] = Field(
        "auto", description="How a sharded table is divided; it needs `embedding: sharded`."
    )

    @model_validator(mode="after")
    def _refuse_what_is_missing(self) -> Self:
        if self.embedding == "sharded":
            raise ValueError(
                "embedding must be replicated, but sharded was given: tables sharded by TorchRec are not built yet; "
                "try replicated, which trains every model on several processes with the whole table in each"
            )
        if self.plan != "auto":
            raise ValueError(
                f"plan divides a sharded table, but {self.plan} was given with embedding=replicated; leave it out"
            )
        return self

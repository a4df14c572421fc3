"""Settings of how rows are split into train, valid and test."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings


class _Fractions(Settings):
    valid: float = Field(0.1, gt=0, lt=1, description="Share of the rows that go to the valid split.")
    test: float = Field(
        0.1, ge=0, lt=1, description="Share of the rows that go to the test split; 0 makes no test split."
    )

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self) -> Self:
        if self.valid + self.test >= 1:
            raise ValueError(f"valid + test must stay below 1, but {self.valid} + {self.test} was given")
        return self


class RandomSplit(_Fractions):
    """Split rows by a seeded random permutation."""

    kind: Literal["random"]
    seed: int = Field(0, description="Seed of the permutation.")


class TimeSplit(_Fractions):
    """Split rows by time: the oldest are train, the newest test. Equal times keep the order of the files."""

    kind: Literal["time"]
    column: str = Field(
        min_length=1, description="Column of times: numbers, or texts that sort by time (ISO, YYMMDDHH)."
    )


class FileOrderSplit(_Fractions):
    """Split rows by file order: the first are train, the last test. For logs written in order of time."""

    kind: Literal["file_order"]


SplitSettings = Annotated[RandomSplit | TimeSplit | FileOrderSplit, Field(discriminator="kind")]

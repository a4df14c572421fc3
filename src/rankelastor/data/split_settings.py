"""Settings of how rows are split into train, valid and test."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings


class _Fractions(Settings):
    valid: Annotated[float, Field(gt=0, lt=1)] = 0.1
    test: Annotated[float, Field(ge=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self) -> Self:
        if self.valid + self.test >= 1:
            raise ValueError(f"valid + test must stay below 1, but {self.valid} + {self.test} was given")
        return self


class RandomSplit(_Fractions):
    """Split rows by a seeded random permutation."""

    kind: Literal["random"]
    seed: int = 0


class TimeSplit(_Fractions):
    """Split rows by time: the oldest are train, the newest test. Equal times keep the order of the files.

    The column holds numbers, or texts that sort by time (ISO, YYMMDDHH).
    """

    kind: Literal["time"]
    column: Annotated[str, Field(min_length=1)]


class FileOrderSplit(_Fractions):
    """Split rows by file order: the first are train, the last test. For logs written in order of time."""

    kind: Literal["file_order"]


SplitSettings = Annotated[RandomSplit | TimeSplit | FileOrderSplit, Field(discriminator="kind")]

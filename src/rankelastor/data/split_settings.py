"""Settings of the split of rows into train, valid and test."""

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
    """Rows go to the splits by a seeded random permutation."""

    kind: Literal["random"]
    seed: int = 0


class TimeSplit(_Fractions):
    """The oldest rows train, the newest test. Equal times keep the order of the files.

    The column holds numbers, or text whose order is the order of time (ISO, YYMMDDHH).
    """

    kind: Literal["time"]
    column: Annotated[str, Field(min_length=1)]


class FileOrderSplit(_Fractions):
    """The first rows train, the last test: for logs written in the order of time."""

    kind: Literal["file_order"]


SplitSettings = Annotated[RandomSplit | TimeSplit | FileOrderSplit, Field(discriminator="kind")]

"""Settings of how rows are split into train, valid and test."""

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from rankelastor.config.base import Settings
from rankelastor.data.cells.time_formats import TimeFormat


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


def _as_text(moment: object) -> object:
    """Turn the dates that YAML reads back into text."""
    return moment.isoformat() if isinstance(moment, dt.date) else moment


Moment = Annotated[
    StrictStr | StrictInt | FiniteFloat,
    BeforeValidator(_as_text),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]}),
]
"""A date or time in ISO, or a number if the times of the column are numbers."""


class TimeSplit(_Fractions):
    """Split rows by time: the oldest are train, the newest test. Equal times keep the order of the files.

    The column holds numbers, dates and timestamps of Parquet, texts in ISO, or texts in ``format``: ``yymmddhh``,
    ``epoch_seconds`` (or milliseconds, microseconds, nanoseconds), or a pattern such as ``%d/%m/%Y``. Offsets from UTC
    are applied. Either ``valid`` and ``test`` are shares of the rows, or valid begins at the time ``valid_from`` and
    test at ``test_from``.
    """

    kind: Literal["time"]
    column: str = Field(
        min_length=1, description="Column of times: numbers, dates and timestamps of Parquet, or texts in `format`."
    )
    format: TimeFormat | None = Field(
        None,
        description="How the times are written; null reads numbers, dates and timestamps of Parquet, and ISO texts.",
    )
    valid_from: Moment | None = Field(
        None, description="The time at which valid begins: a date or time in ISO (UTC if times have offsets)."
    )
    test_from: Moment | None = Field(None, description="The time at which test begins; null leaves test out.")

    @model_validator(mode="after")
    def _shares_or_times(self) -> Self:
        if self.valid_from is None:
            if self.test_from is not None:
                raise ValueError(f"valid_from must be given with test_from, but only {self.test_from!r} was given")
            return self
        shares = sorted(self.model_fields_set & {"valid", "test"})
        if shares:
            raise ValueError(f"{' and '.join(shares)} must be left out with valid_from, but shares were given too")
        return self

    @model_serializer(mode="wrap")
    def _omit_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        unused = {name for name in ("format", "valid_from", "test_from") if values.get(name) is None}
        if self.valid_from is not None:
            unused |= {"valid", "test"}
        return {name: value for name, value in values.items() if name not in unused}


class FileOrderSplit(_Fractions):
    """Split rows by file order: the first are train, the last test. For logs written in order of time."""

    kind: Literal["file_order"]


SplitSettings = Annotated[RandomSplit | TimeSplit | FileOrderSplit, Field(discriminator="kind")]

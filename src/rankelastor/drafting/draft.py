"""The result of ``infer``: settings drafted from a table, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rankelastor.config.base import Settings
from rankelastor.config.training import TrainingSettings
from rankelastor.data.cells.labels import LabelSettings
from rankelastor.data.kinds.field import ColumnSettings
from rankelastor.data.split_settings import SplitSettings
from rankelastor.models.rankelastor import RankElastorSettings

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Choice(Generic[T_co]):
    """A chosen setting and the reason, in words without a full stop.

    Example:
        >>> Choice(128, "at least 50 steps an epoch").value
        128
    """

    value: T_co
    reason: str


@dataclass(frozen=True)
class ColumnChoice:
    """What becomes of one column: the fields that read it, none if it is left out, and the reason."""

    column: str
    fields: tuple[ColumnSettings, ...]
    reason: str

    @property
    def kinds(self) -> str:
        """The kinds of its fields in words.

        Example:
            >>> ColumnChoice("row_id", (), "different in every row").kinds
            'left out'
        """
        return ", ".join(field.kind for field in self.fields) or "left out"


@dataclass(frozen=True)
class Draft:
    """Settings drafted from a table.

    ``columns`` holds every column but the label, in the order of the table. ``blanks`` are texts that mean blank,
    besides the empty cell. ``num_rows`` is the number of rows of the whole log, of which the table may be a part.
    """

    num_rows: int
    label: Choice[LabelSettings]
    split: Choice[SplitSettings]
    blanks: Choice[tuple[str, ...]]
    columns: tuple[ColumnChoice, ...]
    model: Choice[RankElastorSettings]
    training: Choice[TrainingSettings]

    @property
    def fields(self) -> tuple[ColumnSettings, ...]:
        """The fields of all columns, as ``data.fields`` takes them."""
        return tuple(field for column in self.columns for field in column.fields)

    def as_dict(self) -> dict[str, Any]:
        """Write the draft as plain values: settings as in a recipe, and the reasons beside them."""
        return {
            "num_rows": self.num_rows,
            "label": _plain(self.label),
            "split": _plain(self.split),
            "blanks": {"value": list(self.blanks.value), "reason": self.blanks.reason},
            "columns": [
                {
                    "column": column.column,
                    "fields": [written(field) for field in column.fields],
                    "reason": column.reason,
                }
                for column in self.columns
            ],
            "model": _plain(self.model),
            "training": _plain(self.training),
        }


def written(settings: Settings) -> dict[str, Any]:
    """Write the settings that were chosen, without defaults, as plain values; ``kind`` comes first.

    Example:
        >>> from rankelastor.data.split_settings import TimeSplit
        >>> written(TimeSplit(column="hour", kind="time"))
        {'kind': 'time', 'column': 'hour'}
    """
    values = settings.model_dump(mode="json", exclude_unset=True)
    return {"kind": values.pop("kind"), **values} if "kind" in values else values


def _plain(choice: Choice[Settings]) -> dict[str, Any]:
    values = choice.value.model_dump(mode="json", exclude_unset=True)
    return {"value": values, "reason": choice.reason}

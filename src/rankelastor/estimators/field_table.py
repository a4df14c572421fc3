"""What became of each column of a table, and why: the ``fields_`` of an estimator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rankelastor.data.kinds.catalogue import FieldSettings
from rankelastor.data.kinds.field import ColumnSettings
from rankelastor.drafting.draft import ColumnChoice, Draft, written
from rankelastor.errors import SettingsError
from rankelastor.html_table import html_table
from rankelastor.suggestions import did_you_mean

_SAID = "as you said"
_FIELD: TypeAdapter[ColumnSettings] = TypeAdapter(FieldSettings)


@dataclass(frozen=True)
class FieldTable:
    """The columns of a table with their kinds and the reasons.

    Example:
        >>> import polars as pl
        >>> from rankelastor.drafting.infer import infer
        >>> draft = infer(pl.DataFrame({"click": [0, 1] * 50, "site": ["a", "b", "c", "d", "b"] * 20}))
        >>> FieldTable.of(draft, {})
        column  kind         why
        site    categorical  4 different texts
    """

    columns: tuple[ColumnChoice, ...]

    @classmethod
    def of(cls, draft: Draft, said: Mapping[str, object]) -> FieldTable:
        """Take the columns of a draft, but for those of which the user said otherwise.

        Args:
            draft: what was inferred.
            said: by column a kind, a mapping of settings, a list of mappings, or None to leave the column out.

        Raises:
            SettingsError: there is no such column, or the settings are wrong.
        """
        known = [choice.column for choice in draft.columns]
        for name in said:
            if name not in known:
                raise SettingsError(
                    f"fields must name columns of the table, but it has no {name!r}; "
                    f"{did_you_mean(name, known) or 'it has ' + ', '.join(known)}"
                )
        return cls(
            tuple(
                ColumnChoice(choice.column, tuple(_fields(choice.column, said[choice.column])), _SAID)
                if choice.column in said
                else choice
                for choice in draft.columns
            )
        )

    def __iter__(self) -> Iterator[ColumnChoice]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        rows = [("column", "kind", "why"), *self._rows()]
        widths = [max(len(row[index]) for row in rows) for index in range(2)]
        return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows)

    def _repr_html_(self) -> str:
        return html_table(["column", "kind", "why"], self._rows())

    @property
    def settings(self) -> list[dict[str, Any]]:
        """The fields as ``data.fields`` of a recipe takes them."""
        return [written(field) for choice in self.columns for field in choice.fields]

    def _rows(self) -> list[tuple[str, str, str]]:
        return [(choice.column, choice.kinds, choice.reason) for choice in self.columns]


def _fields(column: str, said: object) -> Iterator[ColumnSettings]:
    if said is None or said == "left out":
        return
    for each in said if isinstance(said, list | tuple) else [said]:
        values = {"kind": each} if isinstance(each, str) else each
        if not isinstance(values, Mapping):
            raise SettingsError(
                f"fields[{column!r}] must be a kind, settings of a field, a list of these, or None, but {each!r} was "
                "given; try 'categorical'"
            )
        try:
            yield _FIELD.validate_python({"column": column, **values})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise SettingsError(
                f"fields[{column!r}] must be the settings of a field, but {first['msg'].lower()} "
                f"({'.'.join(map(str, first['loc']))}); docs/settings.md lists the kinds with their settings"
            ) from None

"""The kind ``group``: the column that names the group of an example for gAUC; it makes no feature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.kinds.field import TEXT_MEANING, ColumnSettings, PlannedFeature


class GroupField(ColumnSettings):
    """The column that names the group of an example (a user, for example) for gAUC; it makes no feature."""

    kind: Literal["group"]
    text: TextRule = Field("canonical", description=TEXT_MEANING)

    names_group: ClassVar[bool] = True

    @property
    def text_rule(self) -> TextRule:
        """Rule for the texts of groups."""
        return self.text

    def plan(self, column: str) -> Iterator[PlannedFeature]:  # noqa: ARG002 - the column makes no feature
        """Plan no feature."""
        yield from ()

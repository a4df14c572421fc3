"""The kind ``group``: the column that names the group of an example for gAUC; it makes no feature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from rankelastor.data.kinds.field import ColumnSettings, PlannedFeature


class GroupField(ColumnSettings):
    """The column that names the group of an example (a user, for example) for gAUC; it makes no feature."""

    kind: Literal["group"]

    names_group: ClassVar[bool] = True

    def plan(self, column: str) -> Iterator[PlannedFeature]:  # noqa: ARG002 - the column makes no feature
        """Plan no feature."""
        yield from ()

"""The kind ``group``: the column that names the group of an example for gAUC; it makes no feature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.kinds.field import ColumnSettings, PlannedFeature


class GroupField(ColumnSettings):
    """The column that names the group of an example (a user, for example) for gAUC; it makes no feature.

    ``text``: with ``canonical``, a text such as ``12.0`` is the value ``12``, and ``True`` and ``TRUE`` are ``true``,
    as the numbers and truth values of Parquet are; ``as_written`` changes no text.
    """

    kind: Literal["group"]
    text: TextRule = Field(
        "canonical",
        description="How texts are spelled: canonical reads 12.0 as 12 and TRUE as true; as_written changes no text.",
    )

    names_group: ClassVar[bool] = True

    @property
    def text_rule(self) -> TextRule:
        """Rule for the texts of groups."""
        return self.text

    def plan(self, column: str) -> Iterator[PlannedFeature]:  # noqa: ARG002 - the column makes no feature
        """Plan no feature."""
        yield from ()

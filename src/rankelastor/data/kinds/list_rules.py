"""How the cells of a column become lists: the rules that a sequence and all that is read beside it have in common."""

from __future__ import annotations

from dataclasses import dataclass

from rankelastor.data.cells.lists import CellLists, cell_lists
from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.kinds.cells import CellSource


@dataclass(frozen=True)
class ListRules:
    """The separator of the elements, how many of the newest are read, and how their texts are spelled."""

    separator: str | None
    max_length: int
    text: TextRule

    def read(self, source: CellSource, column: str) -> CellLists:
        """Read the lists of a column.

        Raises:
            DataError: a cell is no such list; the message names file, column, row and value.
        """
        return cell_lists(
            source.rows,
            column,
            separator=self.separator,
            max_length=self.max_length,
            blanks=source.blanks,
            spelling=source.spelling(self.text),
        )

"""The rules of the vocabulary of a feature: own or shared, minimum count, blanks."""

from dataclasses import dataclass

from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.cells.texts import BlankIds


@dataclass(frozen=True)
class VocabularyRules:
    """Rules of the vocabulary of a feature.

    ``shares`` names the feature whose vocabulary it uses; None: it has its own, fitted with ``min_count``.
    ``blank`` is None if the rule of the shared feature applies. ``may_be_shared``: whether others may share it.
    ``text`` is the rule for texts, which is one for all that share the vocabulary. ``are_cells``: whether values are
    cells of a column, so that spaces around them are somebody's mistake. ``needed``: a value that stays in a vocabulary
    however long it was not seen.
    """

    shares: str | None = None
    min_count: int = 1
    blank: BlankIds | None = "value"
    may_be_shared: bool = True
    text: TextRule = "canonical"
    are_cells: bool = True
    needed: str | None = None

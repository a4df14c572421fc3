"""The rules by which a vocabulary gives the texts of a feature their ids."""

from dataclasses import dataclass

from rankelastor.data.cells.texts import BlankIds


@dataclass(frozen=True)
class VocabularyRules:
    """Which vocabulary gives the texts of a feature their ids, and by which rules.

    ``shares`` names the feature whose vocabulary it uses; None: it has its own, fitted with ``min_count``.
    ``blank`` is None where the shared feature's rule applies. ``may_be_shared`` says whether others may name it.
    """

    shares: str | None = None
    min_count: int = 1
    blank: BlankIds | None = "value"
    may_be_shared: bool = True

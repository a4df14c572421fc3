"""Settings of the objective, by ``kind``."""

from typing import ClassVar, Literal

from pydantic import Field

from rankelastor.config.base import Settings, one_of


class CrossEntropyObjective(Settings):
    """Binary cross-entropy of each row."""

    kind: Literal["cross_entropy"] = "cross_entropy"
    within_groups: ClassVar[bool] = False


class _WithinGroups(Settings):
    within_groups: ClassVar[bool] = True
    cross_entropy: float = Field(
        1.0,
        ge=0,
        description="Factor of the binary cross-entropy that is added; with 0 the ranking alone is learned, and "
        "probabilities mean nothing.",
    )


class PairwiseObjective(_WithinGroups):
    """Pairs of a positive and a negative row of a group: the mean of ln(1 + exp(negative logit - positive logit)).

    The order of the rows keeps groups together (unless it is by windows), and pairs are all those within a batch.
    """

    kind: Literal["pairwise"]


class ListwiseObjective(_WithinGroups):
    """The rows of a group as a list: the mean over groups of the cross-entropy of a softmax within the group.

    The order of the rows keeps groups together (unless it is by windows), and a list is what a batch has of a group.
    """

    kind: Literal["listwise"]


OBJECTIVES = (CrossEntropyObjective, PairwiseObjective, ListwiseObjective)
ObjectiveSettings = one_of(OBJECTIVES)

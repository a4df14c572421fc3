"""The facts that rules judge, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ScoreFacts:
    """Predictions of one task for some rows.

    Attributes:
        where: name of the split or of the file.
        num_rows: number of rows.
        lowest: smallest probability.
        highest: largest probability.
        mean: mean probability.
        label_rate: mean label, weighted as the metrics are; None without labels.
        metrics: metrics by name; empty without labels.
        baseline: metrics of logistic regression on the same rows by name; None if it was not trained.
        baseline_metrics: metrics of the ranker on the rows that the baseline was measured on.
        valid_mean: mean probability of the valid split when training ended; None for valid itself, or if unknown.
        task: name of the task if there are several.
    """

    where: str
    num_rows: int
    lowest: float
    highest: float
    mean: float
    label_rate: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    baseline: Mapping[str, float] | None = None
    baseline_metrics: Mapping[str, float] = field(default_factory=dict)
    valid_mean: float | None = None
    task: str | None = None

    @property
    def about(self) -> tuple[str, ...]:
        """What alarms on these predictions are about."""
        return (self.where,) if self.task is None else (self.where, self.task)

    @property
    def name(self) -> str:
        """The split or file, with the task if there are several."""
        return self.where if self.task is None else f"{self.where} ({self.task})"


@dataclass(frozen=True, kw_only=True)
class UnseenFacts:
    """Values of one field in some rows that training has not seen.

    Attributes:
        where: name of the split or of the file.
        field: name of the field.
        num_values: number of values of the field in these rows.
        share: share of them that are unseen.
        valid_share: share of the values of valid that are unseen; None if it is unknown.
        unseen_value: an unseen value as it is written there; None if it is unknown.
        known_value: a frequent value of train as its vocabulary holds it; None if it is unknown.
    """

    where: str
    field: str
    num_values: int
    share: float
    valid_share: float | None = None
    unseen_value: str | None = None
    known_value: str | None = None


@dataclass(frozen=True, kw_only=True)
class RepeatFacts:
    """Rows of a split whose features occur in train, too, in a sample of the split.

    Attributes:
        where: name of the split.
        num_rows: number of sampled rows of the split.
        num_repeated: number of those whose features equal those of a train row.
        num_same_label: number of these whose labels equal those of such a train row, too.
        num_other_label: number of the repeated rows of which some such train row has other labels.
        train_share: share of train rows whose features equal those of another train row.
        chance_of_same_label: probability that the label of a random train row equals that of another.
    """

    where: str
    num_rows: int
    num_repeated: int
    num_same_label: int
    num_other_label: int
    train_share: float
    chance_of_same_label: float


@dataclass(frozen=True, kw_only=True)
class LabelFacts:
    """Labels of the train split, known before the first step.

    Attributes:
        task: name of the task.
        num_rows: number of rows that training sees in an epoch.
        num_positive: number of those with label 1.
        starts_at_rate: whether the output bias starts at the logit of the label rate.
    """

    task: str
    num_rows: int
    num_positive: int
    starts_at_rate: bool


Facts = ScoreFacts | UnseenFacts | RepeatFacts | LabelFacts

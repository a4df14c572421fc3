"""The figures of a report on prepared data, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Rule = Literal[
    "leak",
    "constant",
    "label_moves",
    "one_label",
    "mostly_unseen",
    "mostly_blank",
    "one_row_a_value",
    "same_information",
    "numbers_move",
    "numbers_far_out",
]


@dataclass(frozen=True)
class WeightFigures:
    """Weights of the rows of a split: their column, mean and range, and the share of rows that weigh nothing.

    ``label_rate`` is the mean of the (first) label by weight, which loss and metrics see.
    """

    column: str
    mean: float
    minimum: float
    maximum: float
    zero_share: float
    label_rate: float


@dataclass(frozen=True)
class SplitFigures:
    """Number of rows of a split, their share of all rows, and the mean of the (first) label.

    ``label_rates`` holds the mean of each label by task if there are several; None otherwise. ``weights`` is None for
    data without weights.
    """

    num_rows: int
    share: float
    label_rate: float
    label_rates: dict[str, float] | None = None
    weights: WeightFigures | None = None


@dataclass(frozen=True)
class ValueFigures:
    """A frequent value of the train split: its share of the rows (of a sequence: of the elements) and its label rate.

    ``kind`` tells values (or buckets of values) from padding and out of vocabulary, which have no ``text``. The text
    of a blank is ``""``.
    """

    kind: Literal["value", "padding", "out_of_vocabulary"]
    text: str | None
    share: float
    label_rate: float


@dataclass(frozen=True)
class LengthFigures:
    """Lengths of a sequence in the train split, without padding."""

    mean: float
    maximum: int
    empty_share: float


@dataclass(frozen=True)
class IdFigures:
    """Figures of a feature of ids.

    ``num_distinct``: number of known values (or buckets) in the train split. ``unseen_share``: share of rows (of a
    sequence: of elements) with an unseen value, by split; None if the feature has no vocabulary or if blanks are out
    of vocabulary too. ``blank_share``: share of blank rows, by split; None if blanks cannot be told from other values.
    ``once_share``: share of train rows whose value occurs in no other train row. ``auc_alone``: see
    ``rankelastor.data_report.leaks``; None if it is not defined.
    """

    kind: str
    num_distinct: int
    unseen_share: dict[str, float] | None
    blank_share: dict[str, float] | None
    once_share: float
    auc_alone: float | None
    most_frequent: tuple[ValueFigures, ...]
    lengths: LengthFigures | None = None


@dataclass(frozen=True)
class NumberFigures:
    """Figures of a numeric feature in the train split, after its transform.

    ``quantiles``: by level (``"0.5"`` is the median). ``at_blank_share``: share of rows with the number that replaces
    a blank, whether they are blank or not; None if blanks are refused. ``means``: the mean by split.
    """

    transform: str
    mean: float
    standard_deviation: float
    minimum: float
    maximum: float
    quantiles: dict[str, float]
    at_blank_share: float | None
    means: dict[str, float]
    auc_alone: float | None


@dataclass(frozen=True)
class Notice:
    """A notice about a likely problem: the rule that fired, the features or splits concerned, and what to try."""

    rule: Rule
    about: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class DataReport:
    """All figures of a prepared folder, by split and by feature in declared order.

    ``label`` is the label of the rates and of ``auc_alone``: the first one if there are several.
    """

    folder: str
    label: str
    splits: dict[str, SplitFigures]
    ids: dict[str, IdFigures]
    numbers: dict[str, NumberFigures]
    notices: tuple[Notice, ...]

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON; missing values are None."""
        return asdict(self)

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
class SplitFigures:
    """Rows of a split, their share of all rows, and the mean of the label: of the first one where there are several.

    ``label_rates`` is then by task; None where there is one.
    """

    num_rows: int
    share: float
    label_rate: float
    label_rates: dict[str, float] | None = None


@dataclass(frozen=True)
class ValueFigures:
    """A frequent value of the train split: its share of the rows (of the elements of a sequence) and its label rate.

    ``kind`` tells a value (or a bucket of values) from padding and from what is out of vocabulary, which have no
    ``text``. A blank is ``""``.
    """

    kind: Literal["value", "padding", "out_of_vocabulary"]
    text: str | None
    share: float
    label_rate: float


@dataclass(frozen=True)
class LengthFigures:
    """Lengths of a sequence in the train split, counted in elements that are not padding."""

    mean: float
    maximum: int
    empty_share: float


@dataclass(frozen=True)
class IdFigures:
    """A feature of ids.

    ``num_distinct``: known values (or buckets) that the train split holds. ``unseen_share`` by split: of its rows, or
    of its elements; None where the feature has no vocabulary, or where
    blanks are out of vocabulary too. ``blank_share`` by split: of rows whose blank has an id
    of its own; None where blanks cannot be told from other values. ``once_share``: of train rows whose value no other
    train row holds. ``auc_alone``: see ``rankelastor.data_report.leaks``; None where it is not defined.
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
    """A numeric feature in the train split as the model sees it, after its transform.

    ``quantiles`` by share below (``"0.5"`` is the median). ``at_blank_share``: of rows at the number that stands for a
    blank, be they blank or not; None where blanks are refused. ``means`` by split.
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
    """Something to look at: the rule that fired, the features or splits that it is about, and what to try."""

    rule: Rule
    about: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class DataReport:
    """All figures of a prepared folder, by split and by feature in declared order.

    ``label`` is the label that rates and ``auc_alone`` are about: the first where there are several.
    """

    folder: str
    label: str
    splits: dict[str, SplitFigures]
    ids: dict[str, IdFigures]
    numbers: dict[str, NumberFigures]
    notices: tuple[Notice, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is missing is None."""
        return asdict(self)

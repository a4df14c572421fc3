"""The rules that find likely problems of prepared data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rankelastor.data_report.counts import IdCounts
from rankelastor.data_report.figures import IdFigures, Notice, NumberFigures, SplitFigures
from rankelastor.percent import percent

LEAK_AUC = 0.98
"""A feature whose AUC alone exceeds this is reported as a leak."""
LEAK_MIN_ROWS = 10
"""Fewest rows of each label in the held-out split for which leaks are reported."""
LABEL_Z = 3.0
LABEL_CHANGE = 0.05
"""A label rate has shifted if |z| of the two-proportion test against train exceeds LABEL_Z and the relative change
exceeds LABEL_CHANGE."""
MOSTLY_UNSEEN = 0.5
MOSTLY_BLANK = 0.95
MOSTLY_ONCE = 0.5
MEAN_CHANGE = 0.5
"""Largest difference of a mean from that of train, in standard deviations of train."""
FAR_OUT = 50.0
"""Largest distance of a number from the mean, in standard deviations of train."""


def label_notices(splits: Mapping[str, IdCounts]) -> Iterator[Notice]:
    """Report splits with one label only, and label rates that differ from that of train."""
    for name, labels in splits.items():
        if not labels.rows.all():
            yield Notice(
                "one_label",
                (name,),
                f"{name} holds one label only ({0 if labels.rows[0] else 1}): nothing can be learned from it "
                "or measured on it",
            )
    train = splits["train"]
    for name, other in splits.items():
        change = other.share(1) / train.share(1) - 1 if train.share(1) else math.inf
        if name != "train" and abs(_two_proportion_z(train, other)) > LABEL_Z and abs(change) > LABEL_CHANGE:
            yield Notice(
                "label_moves",
                (name,),
                f"the label rate moves from {percent(train.share(1), digits=2)} in train to "
                f"{percent(other.share(1), digits=2)} in {name} ({percent(change, digits=0, signed=True)}): "
                "predictions will be off by that factor; check how the splits were made",
            )


def _two_proportion_z(first: IdCounts, second: IdCounts) -> float:
    """Compute the z statistic of the two-proportion test for equal label rates."""
    num_rows = first.num_rows + second.num_rows
    pooled = (int(first.rows[1]) + int(second.rows[1])) / num_rows
    variance = pooled * (1 - pooled) * (1 / first.num_rows + 1 / second.num_rows)
    return (second.share(1) - first.share(1)) / math.sqrt(variance) if variance else 0.0


def leak_notices(auc_alone: Mapping[str, float | None], held_out: str | None, labels: IdCounts) -> Iterator[Notice]:
    """Report features that alone almost determine the label. ``labels`` are those of the held-out split."""
    if labels.rows.min() < LEAK_MIN_ROWS:
        return
    for name, value in auc_alone.items():
        if value is not None and value > LEAK_AUC:
            yield Notice(
                "leak",
                (name,),
                f"{name} alone ranks {held_out} with AUC {value:.4f} (above {LEAK_AUC:g}): is it made from the label, "
                "or known only after it? If so, leave it out",
            )


def id_notices(name: str, figures: IdFigures) -> Iterator[Notice]:
    """Report likely problems of one feature of ids."""
    if figures.most_frequent and figures.most_frequent[0].share == 1 and figures.lengths is None:
        yield _constant(name)
    if figures.lengths is not None and figures.lengths.empty_share > MOSTLY_BLANK:
        yield Notice(
            "mostly_blank",
            (name,),
            f"{name} has no element in {percent(figures.lengths.empty_share, digits=1)} of the train rows",
        )
    unseen = {split: share for split, share in (figures.unseen_share or {}).items() if split != "train"}
    if max(unseen.values(), default=0.0) > MOSTLY_UNSEEN:
        shares = " and ".join(f"{percent(share, digits=1)} in {split}" for split, share in unseen.items())
        yield Notice(
            "mostly_unseen",
            (name,),
            f"most values of {name} are not in its vocabulary ({shares}): it says little about new rows; "
            "try a coarser field, a smaller min_count or kind: hashed",
        )
    blank = (figures.blank_share or {}).get("train", 0.0)
    if MOSTLY_BLANK < blank < 1:
        yield Notice("mostly_blank", (name,), f"{name} is blank in {percent(blank, digits=1)} of the train rows")
    if figures.once_share > MOSTLY_ONCE and figures.lengths is None:
        yield Notice(
            "one_row_a_value",
            (name,),
            f"{percent(figures.once_share, digits=1)} of the train rows hold a value of {name} that no other train row "
            "holds: it can only be memorised; raise min_count, or leave it out",
        )


def number_notices(name: str, figures: NumberFigures, rows: Mapping[str, SplitFigures]) -> Iterator[Notice]:
    """Report likely problems of one numeric feature."""
    deviation = figures.standard_deviation
    if figures.minimum == figures.maximum:
        yield _constant(name)
        return
    blank = figures.at_blank_share or 0.0
    if blank > MOSTLY_BLANK:
        yield Notice(
            "mostly_blank",
            (name,),
            f"{name} is blank, or the number that replaces a blank, in {percent(blank, digits=1)} of train",
        )
    for split, mean in figures.means.items():
        moved = (mean - figures.means["train"]) / deviation
        noise = math.sqrt(1 / rows[split].num_rows + 1 / rows["train"].num_rows)
        if abs(moved) > max(MEAN_CHANGE, LABEL_Z * noise):
            yield Notice(
                "numbers_move",
                (name, split),
                f"the mean of {name} in {split} lies {moved:+.1f} standard deviations from that of train: "
                "is it a clock or a counter? The model has not seen such numbers",
            )
    furthest = max(figures.maximum - figures.mean, figures.mean - figures.minimum) / deviation
    if furthest > FAR_OUT:
        yield Notice(
            "numbers_far_out",
            (name,),
            f"{name} ({figures.transform}) reaches {furthest:,.0f} standard deviations from its mean: "
            + ("try kind: quantile" if figures.transform == "log" else "try transform: log or kind: quantile"),
        )


def twin_notices(pairs: Iterable[tuple[str, str]]) -> Iterator[Notice]:
    """Report pairs of features with the same information."""
    for left, right in pairs:
        yield Notice(
            "same_information",
            (left, right),
            f"{left} and {right} correspond one to one in every train row; leave one of them out",
        )


def sort_notices(notices: Sequence[Notice], names: Sequence[str]) -> tuple[Notice, ...]:
    """Sort notices: leaks first, then those about labels, then by feature in declared order."""
    place = {name: index for index, name in enumerate(names)}

    def key(notice: Notice) -> tuple[bool, bool, int]:
        return (notice.rule != "leak", notice.about[0] in place, place.get(notice.about[0], 0))

    return tuple(sorted(notices, key=key))


def _constant(name: str) -> Notice:
    return Notice(
        "constant", (name,), f"{name} has the same value in every train row and carries no information; leave it out"
    )

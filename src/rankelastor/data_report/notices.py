"""What a person should be warned of, and by which rule."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rankelastor.data_report.counts import IdCounts
from rankelastor.data_report.figures import IdFigures, Notice, NumberFigures, SplitFigures

LEAK_AUC = 0.98
"""A feature that alone ranks better than this is a leak."""
LEAK_MIN_ROWS = 10
"""Rows of each label that it takes to tell a leak from luck."""
LABEL_Z = 3.0
LABEL_CHANGE = 0.05
"""A label rate has moved if the two-proportion z against train is beyond LABEL_Z and it differs by this share of it."""
MOSTLY_UNSEEN = 0.5
MOSTLY_BLANK = 0.95
MOSTLY_ONCE = 0.5
MEAN_CHANGE = 0.5
"""In standard deviations of train."""
FAR_OUT = 50.0
"""In standard deviations of train."""


def label_notices(splits: Mapping[str, IdCounts]) -> Iterator[Notice]:
    """Splits of one label, and label rates that differ from that of train."""
    for name, labels in splits.items():
        if not labels.rows.all():
            yield Notice(
                "one_label",
                (name,),
                f"{name} holds one label only ({0 if labels.rows[0] else 1}): nothing can be learned from it, "
                "or ranked in it",
            )
    train = splits["train"]
    for name, other in splits.items():
        change = other.share(1) / train.share(1) - 1 if train.share(1) else math.inf
        if name != "train" and abs(_two_proportion_z(train, other)) > LABEL_Z and abs(change) > LABEL_CHANGE:
            yield Notice(
                "label_moves",
                (name,),
                f"the label rate moves from {train.share(1):.2%} in train to {other.share(1):.2%} in {name} "
                f"({change:+.0%}): predictions will be off by as much; check how the splits were made",
            )


def _two_proportion_z(first: IdCounts, second: IdCounts) -> float:
    """How many standard errors two label rates lie apart, if both splits had the same rate."""
    num_rows = first.num_rows + second.num_rows
    pooled = (int(first.rows[1]) + int(second.rows[1])) / num_rows
    variance = pooled * (1 - pooled) * (1 / first.num_rows + 1 / second.num_rows)
    return (second.share(1) - first.share(1)) / math.sqrt(variance) if variance else 0.0


def leak_notices(auc_alone: Mapping[str, float | None], judged: str | None, labels: IdCounts) -> Iterator[Notice]:
    """Features that alone nearly tell the label. ``labels`` are those of the split that was judged."""
    if labels.rows.min() < LEAK_MIN_ROWS:
        return
    for name, value in auc_alone.items():
        if value is not None and value > LEAK_AUC:
            yield Notice(
                "leak",
                (name,),
                f"{name} alone ranks {judged} with AUC {value:.4f} (above {LEAK_AUC:g}): is it made from the label, or "
                "known only after it? If so, leave it out",
            )


def id_notices(name: str, figures: IdFigures) -> Iterator[Notice]:
    """What is odd about one feature of ids."""
    if figures.most_frequent and figures.most_frequent[0].share == 1 and figures.lengths is None:
        yield _constant(name)
    if figures.lengths is not None and figures.lengths.empty_share > MOSTLY_BLANK:
        yield Notice(
            "mostly_blank", (name,), f"{name} has no element in {figures.lengths.empty_share:.1%} of the train rows"
        )
    unseen = {split: share for split, share in (figures.unseen_share or {}).items() if split != "train"}
    if max(unseen.values(), default=0.0) > MOSTLY_UNSEEN:
        shares = " and ".join(f"{share:.1%} in {split}" for split, share in unseen.items())
        yield Notice(
            "mostly_unseen",
            (name,),
            f"most values of {name} are not in its vocabulary ({shares}): it says little about new rows; "
            "try a coarser field, a smaller min_count or kind: hashed",
        )
    blank = (figures.blank_share or {}).get("train", 0.0)
    if MOSTLY_BLANK < blank < 1:
        yield Notice("mostly_blank", (name,), f"{name} is blank in {blank:.1%} of the train rows")
    if figures.once_share > MOSTLY_ONCE and figures.lengths is None:
        yield Notice(
            "one_row_a_value",
            (name,),
            f"{figures.once_share:.1%} of the train rows hold a value of {name} that no other train row holds: it can "
            "be learned by heart only; raise min_count, or leave it out",
        )


def number_notices(name: str, figures: NumberFigures, rows: Mapping[str, SplitFigures]) -> Iterator[Notice]:
    """What is odd about one numeric feature."""
    deviation = figures.standard_deviation
    if figures.minimum == figures.maximum:
        yield _constant(name)
        return
    blank = figures.at_blank_share or 0.0
    if blank > MOSTLY_BLANK:
        yield Notice(
            "mostly_blank", (name,), f"{name} is blank, or the number that a blank stands for, in {blank:.1%} of train"
        )
    for split, mean in figures.means.items():
        moved = (mean - figures.means["train"]) / deviation
        noise = math.sqrt(1 / rows[split].num_rows + 1 / rows["train"].num_rows)
        if abs(moved) > max(MEAN_CHANGE, LABEL_Z * noise):
            yield Notice(
                "numbers_move",
                (name, split),
                f"the mean of {name} in {split} lies {moved:+.1f} standard deviations from that of train: "
                "a clock or a counter? The model has not seen such numbers",
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
    """Features that say the same."""
    for left, right in pairs:
        yield Notice(
            "same_information",
            (left, right),
            f"{left} and {right} say the same in every train row, one to one; leave one of them out",
        )


def in_order(notices: Sequence[Notice], names: Sequence[str]) -> tuple[Notice, ...]:
    """Leaks first, then what concerns the labels, then feature by feature in declared order."""
    place = {name: index for index, name in enumerate(names)}

    def key(notice: Notice) -> tuple[bool, bool, int]:
        return (notice.rule != "leak", notice.about[0] in place, place.get(notice.about[0], 0))

    return tuple(sorted(notices, key=key))


def _constant(name: str) -> Notice:
    return Notice("constant", (name,), f"{name} is the same in every train row: it tells nothing; leave it out")

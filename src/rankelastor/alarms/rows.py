"""Rules on rows: values that training has not seen, rows that splits share, rare labels."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rankelastor.alarms.alarm import Alarm
from rankelastor.alarms.facts import LabelFacts, RepeatFacts, UnseenFacts
from rankelastor.percent import percent

MORE_UNSEEN = 0.1
UNSEEN_FACTOR = 2.0
UNSEEN_ERRORS = 3.0
"""Far more values are unseen than in valid if their share exceeds that of valid by MORE_UNSEEN, is UNSEEN_FACTOR times
as large, and lies UNSEEN_ERRORS standard errors above it."""
MOSTLY_UNSEEN = 0.5
"""Share of valid from which on a field without any known value is nothing new."""
REPEATED = 0.01
FEWEST_REPEATED = 20
"""Smallest share and number of repeated rows to report."""
MORE_THAN_TRAIN = 0.1
"""Rows are repeated more often than within train if the shares differ by more than this."""
OTHER_LABELS = 0.01
BY_CHANCE = 1e-3
"""Repeated rows are copies if at most OTHER_LABELS of their labels differ, which is at most so likely by chance."""
RARE = 0.02
"""Share of the rarer label below which the first epochs learn little but its rate."""
FEWEST_OF_A_LABEL = 50


def unseen_field(facts: UnseenFacts) -> Iterator[Alarm]:
    """Report a field that is unseen for far more rows than in valid; loudly if no value of it is known."""
    valid = facts.valid_share or 0.0
    if facts.num_values and facts.share == 1 and valid < MOSTLY_UNSEEN:
        yield Alarm("unseen_field", (facts.where, facts.field), _all_unseen(facts), loud=True)
        return
    error = math.sqrt(max(facts.share * (1 - facts.share), valid * (1 - valid)) / max(facts.num_values, 1))
    most = max(valid + MORE_UNSEEN, valid * UNSEEN_FACTOR, valid + UNSEEN_ERRORS * error)
    if facts.valid_share is None or facts.share <= most:
        return
    yield Alarm(
        "unseen_field",
        (facts.where, facts.field),
        f"{percent(facts.share, digits=1)} of the values of {facts.field} in {facts.where} are unseen by training, "
        f"in valid {percent(valid, digits=1)}{_written(facts)}; are they written as in train, and not newer than it?",
    )


def _all_unseen(facts: UnseenFacts) -> str:
    values = f"all {facts.num_values:,} values" if facts.num_values > 1 else "the only value"
    return (
        f"{values} of {facts.field} in {facts.where} {'are' if facts.num_values > 1 else 'is'} unseen by "
        f"training{_written(facts)}; the ranker learns nothing from this field there: write its values as in train"
    )


def _written(facts: UnseenFacts) -> str:
    """Say how one value of either side is written."""
    if facts.unseen_value is None and facts.known_value is None:
        return ""
    here = "" if facts.unseen_value is None else f"one is written `{facts.unseen_value}`"
    there = "" if facts.known_value is None else f"one of training `{facts.known_value}`"
    return f" ({', '.join(part for part in (here, there) if part)})"


def repeated_rows(facts: RepeatFacts) -> Iterator[Alarm]:
    """Report a split that repeats rows of train, more often than train repeats itself or with its very labels."""
    repeated, copied = facts.num_repeated, facts.num_same_label
    if copied < FEWEST_REPEATED or copied < REPEATED * facts.num_rows:
        return
    more = repeated / facts.num_rows - facts.train_share > MORE_THAN_TRAIN
    by_chance = facts.chance_of_same_label**repeated < BY_CHANCE
    if not (more or (by_chance and facts.num_other_label <= OTHER_LABELS * repeated)):
        return
    yield Alarm(
        "repeated_rows",
        (facts.where,),
        f"{percent(copied / facts.num_rows, digits=1)} of the rows of {facts.where} repeat a row of train, label "
        f"included (in train {percent(facts.train_share, digits=1)} repeat the fields of another): its metrics are too "
        "good; remove repeated rows before they are split, or split by time",
    )


def rare_label(facts: LabelFacts) -> Iterator[Alarm]:
    """Report labels of which one is so rare that the first epochs learn little but its rate."""
    rare = min(facts.num_positive, facts.num_rows - facts.num_positive)
    name = "positive" if 2 * facts.num_positive <= facts.num_rows else "negative"
    if rare < FEWEST_OF_A_LABEL:
        yield Alarm(
            "rare_label",
            (facts.task,),
            f"only {rare:,} of {facts.num_rows:,} rows of train are {name} for {facts.task}: little can be learned "
            "from them, and metrics will be noisy; add rows",
        )
    elif rare < RARE * facts.num_rows and not facts.starts_at_rate:
        yield Alarm(
            "rare_label",
            (facts.task,),
            f"only {percent(rare / facts.num_rows, digits=2)} of the rows of train are {name} for {facts.task}: the "
            "first epochs may learn little but this rate; try more training.patience, or compare "
            "training.output_bias=base_rate",
        )

"""The table of rules. To add an alarm, write its rule in a file of this package and add a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rankelastor.alarms.alarm import Alarm
from rankelastor.alarms.facts import Facts, LabelFacts, RepeatFacts, ScoreFacts, UnseenFacts
from rankelastor.alarms.rows import rare_label, repeated_rows, unseen_field
from rankelastor.alarms.scores import (
    calibration_off,
    mean_moves,
    no_better_than_linear,
    nothing_learned,
    worse_than_mean,
)


@dataclass(frozen=True)
class Rule:
    """A rule: its name, the facts that it judges, when it gives an alarm, and its function."""

    name: str
    judges: type[Facts]
    when: str
    function: Callable[[Any], Iterator[Alarm]]


_ROWS = (
    Rule("nothing_learned", ScoreFacts, "all probabilities are equal, or the AUC is exactly .5", nothing_learned),
    Rule("worse_than_mean", ScoreFacts, "the normalised entropy is above 1", worse_than_mean),
    Rule(
        "no_better_than_linear",
        ScoreFacts,
        "the AUC or the logloss on valid is no better than that of logistic regression",
        no_better_than_linear,
    ),
    Rule(
        "calibration_off",
        ScoreFacts,
        "the mean prediction is off by a quarter of the label rate or more, and by 4 standard errors",
        calibration_off,
    ),
    Rule("mean_moves", ScoreFacts, "the mean prediction of new rows is off that of valid by a factor of 2", mean_moves),
    Rule(
        "unseen_field",
        UnseenFacts,
        "a field is unseen for far more values than in valid (by .1, twofold, and by 3 standard errors); loud if no "
        "value is known",
        unseen_field,
    ),
    Rule(
        "repeated_rows",
        RepeatFacts,
        "at least 1 % of valid repeats rows of train, more often than train repeats itself or always with its label",
        repeated_rows,
    ),
    Rule(
        "rare_label",
        LabelFacts,
        "fewer than 50 train rows hold one of the labels, or below 2 % do and the output bias starts at 0",
        rare_label,
    ),
)

RULES: dict[str, Rule] = {rule.name: rule for rule in _ROWS}
"""All rules by name, in the order in which alarms are given."""


def sound(facts: Iterable[Facts]) -> tuple[Alarm, ...]:
    """Judge facts by all rules of the table.

    Example:
        >>> alarms = sound([LabelFacts(task="click", num_rows=100_000, num_positive=500, starts_at_rate=False)])
        >>> [alarm.rule for alarm in alarms]
        ['rare_label']
    """
    known = list(facts)
    return tuple(
        alarm
        for rule in RULES.values()
        for fact in known
        if isinstance(fact, rule.judges)
        for alarm in rule.function(fact)
    )

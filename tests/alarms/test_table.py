"""Each rule of the table, just inside and just outside of what it reports."""

from dataclasses import replace

import pytest

from rankelastor.alarms.facts import Facts, LabelFacts, RepeatFacts, ScoreFacts, UnseenFacts
from rankelastor.alarms.table import RULES, sound

GOOD = ScoreFacts(
    where="valid",
    num_rows=1000,
    lowest=0.01,
    highest=0.9,
    mean=0.2,
    label_rate=0.2,
    metrics={"auc": 0.7, "logloss": 0.45, "normalized_entropy": 0.9, "calibration_ratio": 1.0},
)
LINEAR = {"auc": 0.65, "logloss": 0.46}
OWN = {"auc": 0.7, "logloss": 0.45}
NEW = ScoreFacts(where="new.csv", num_rows=1000, lowest=0.01, highest=0.9, mean=0.2, valid_mean=0.2)
UNSEEN = UnseenFacts(
    where="new.csv",
    field="user",
    num_values=1000,
    share=0.05,
    valid_share=0.04,
    unseen_value="12",
    known_value="12.0",
)
APART = RepeatFacts(
    where="valid",
    num_rows=1000,
    num_repeated=5,
    num_same_label=3,
    num_other_label=2,
    train_share=0.0,
    chance_of_same_label=0.68,
)
LABELS = LabelFacts(task="click", num_rows=100_000, num_positive=5_000, starts_at_rate=False)


def messages(*facts: Facts) -> list[str]:
    return [alarm.message for alarm in sound(facts)]


def rules(*facts: Facts) -> list[str]:
    return [alarm.rule for alarm in sound(facts)]


@pytest.mark.parametrize(
    "facts", [GOOD, replace(GOOD, baseline=LINEAR, baseline_metrics=OWN), NEW, UNSEEN, APART, LABELS]
)
def test_facts_without_fault_give_no_alarm(facts: Facts) -> None:
    assert messages(facts) == []


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        (replace(GOOD, lowest=0.2, highest=0.2), "nothing_learned"),
        (replace(GOOD, metrics={"auc": 0.5}), "nothing_learned"),
        (replace(GOOD, metrics={"normalized_entropy": 1.0001}), "worse_than_mean"),
        (replace(GOOD, baseline=LINEAR, baseline_metrics={"auc": 0.65, "logloss": 0.45}), "no_better_than_linear"),
        (replace(GOOD, baseline=LINEAR, baseline_metrics={"auc": 0.7, "logloss": 0.46}), "no_better_than_linear"),
        (replace(GOOD, num_rows=10_000, metrics={"calibration_ratio": 1.3}), "calibration_off"),
        (replace(GOOD, num_rows=10_000, metrics={"calibration_ratio": 0.7}), "calibration_off"),
        (replace(NEW, mean=0.45), "mean_moves"),
        (replace(UNSEEN, share=1.0), "unseen_field"),
        (replace(UNSEEN, share=0.3), "unseen_field"),
        (replace(APART, num_repeated=200, num_same_label=120), "repeated_rows"),
        (replace(APART, num_repeated=200, num_same_label=200, num_other_label=2, train_share=0.2), "repeated_rows"),
        (replace(LABELS, num_positive=1_000), "rare_label"),
        (replace(LABELS, num_positive=99_500), "rare_label"),
        (replace(LABELS, num_positive=49, starts_at_rate=True), "rare_label"),
    ],
)
def test_each_fault_gives_one_alarm_that_says_what_to_try(facts: Facts, rule: str) -> None:
    if rule == "rare_label" and isinstance(facts, LabelFacts) and facts.num_positive == 1_000:
        facts = replace(facts, num_positive=999)
    (alarm,) = sound([facts])
    assert alarm.rule == rule
    assert any(word in alarm.message for word in ("try", "write", "remove", "add", "are "))


@pytest.mark.parametrize(
    "facts",
    [
        replace(GOOD, num_rows=19, lowest=0.2, highest=0.2),  # too few rows to say anything
        replace(GOOD, num_rows=500, metrics={"calibration_ratio": 1.3}),  # 100 clicks: 3.4 standard errors off
        replace(NEW, num_rows=99, mean=0.9),
        replace(UNSEEN, num_values=10, share=0.3),  # three of ten: within three standard errors
        replace(UNSEEN, valid_share=0.9, share=1.0),  # hardly ever known
        replace(UNSEEN, valid_share=None, share=0.9),  # a run without a result: nothing to compare with
        replace(APART, num_repeated=200, num_same_label=120, num_other_label=80, train_share=0.2),  # train is alike
        replace(APART, num_repeated=1000, num_same_label=1000, num_other_label=1000, train_share=1.0),  # few values
        replace(LABELS, num_positive=1_000, starts_at_rate=True),
    ],
)
def test_what_may_be_chance_or_cannot_be_known_gives_none(facts: Facts) -> None:
    assert messages(facts) == []


def test_a_field_without_a_known_value_is_loud_and_shows_both_ways_of_writing() -> None:
    (alarm,) = sound([replace(UNSEEN, num_values=2, share=1.0, valid_share=0.0)])
    assert alarm.loud
    assert alarm.about == ("new.csv", "user")
    assert alarm.message.startswith(
        "all 2 values of user in new.csv are unseen by training (one is written `12`, one of training `12.0`)"
    )


def test_one_row_is_enough_to_say_that_its_field_is_unseen() -> None:
    assert messages(replace(UNSEEN, num_values=1, share=1.0))[0].startswith(
        "the only value of user in new.csv is unseen"
    )


def test_alarms_of_a_task_name_it() -> None:
    (alarm,) = sound([replace(GOOD, task="like", metrics={"normalized_entropy": 1.2})])
    assert alarm.about == ("valid", "like")
    assert "valid (like)" in alarm.message


def test_alarms_come_in_the_order_of_the_table() -> None:
    found = rules(replace(LABELS, num_positive=10), replace(UNSEEN, share=1.0), replace(GOOD, metrics={"auc": 0.5}))
    assert found == ["nothing_learned", "unseen_field", "rare_label"]
    assert list(RULES) == sorted(RULES, key=list(RULES).index)


def test_every_rule_says_when_it_reports() -> None:
    assert all(rule.when and rule.name == name for name, rule in RULES.items())

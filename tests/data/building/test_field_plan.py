from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rankelastor.data.building.field_plan import FieldPlan, plan_fields
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError, SettingsError

NAMES = ("click", "C1", "C2", "C10", "I1", "user", "time")


@pytest.fixture
def plan(settings_for: Callable[..., DataSettings]) -> Callable[..., FieldPlan]:
    def make(fields: list[dict[str, Any]], names: tuple[str, ...] = NAMES, **changes: Any) -> FieldPlan:
        return plan_fields(settings_for({"fields": fields} | changes), names, Path("log.csv"))

    return make


def categorical(column: str | list[str], **more: Any) -> dict[str, Any]:
    return {"kind": "categorical", "column": column, **more}


def test_a_pattern_becomes_a_feature_a_column_in_the_order_of_the_file(plan: Callable[..., FieldPlan]) -> None:
    assert [feature.name for feature in plan([categorical("C*")]).features] == ["C1", "C2", "C10"]
    assert [feature.name for feature in plan([categorical("C?")]).features] == ["C1", "C2"]


def test_a_list_keeps_its_order_and_counts_a_column_once(plan: Callable[..., FieldPlan]) -> None:
    assert [feature.name for feature in plan([categorical(["C10", "C*"])]).features] == ["C10", "C1", "C2"]


def test_a_pattern_never_matches_the_label(plan: Callable[..., FieldPlan]) -> None:
    assert "click" not in [feature.name for feature in plan([categorical("*")]).features]


def test_brackets_in_a_name_are_plain_text(plan: Callable[..., FieldPlan]) -> None:
    planned = plan([categorical("[a]*")], names=("click", "[a]1", "a1"))
    assert [feature.name for feature in planned.features] == ["[a]1"]


def test_calendar_parts_are_features_of_their_own(plan: Callable[..., FieldPlan]) -> None:
    planned = plan([{"kind": "calendar", "column": "time", "format": "iso", "parts": ["weekday", "hour"]}])
    assert [feature.name for feature in planned.features] == ["time_weekday", "time_hour"]


def test_the_group_is_read_and_may_be_a_feature_too(plan: Callable[..., FieldPlan]) -> None:
    planned = plan([categorical("user"), {"kind": "group", "column": "user"}])
    assert planned.group == "user"
    assert planned.columns == ("user", "click")


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        (
            [categorical("C*"), categorical("C1")],
            SettingsError,
            r"'C1' comes from data.fields.0 \(categorical C\*\) and from data.fields.1",
        ),
        ([categorical("C1", name="C2"), categorical("C2")], SettingsError, r"'C2' comes from data.fields.0"),
        ([categorical("C1", name="click")], SettingsError, r"'click' comes from data.label and from data.fields.0"),
        ([categorical("click")], SettingsError, r"data.fields.0: a field must not read the label"),
        (
            [categorical("X*")],
            DataError,
            r"data.fields.0: the pattern 'X\*' must match .*log.csv has only 'click', 'C1'",
        ),
        (
            [categorical("usr")],
            DataError,
            r"log.csv must have the column 'usr', .* did you mean 'user'\?; check data.fields.0",
        ),
        (
            [categorical("C1"), {"kind": "group", "column": "C*"}],
            SettingsError,
            r"data.fields.1: a group must be one column, but group C\* matches 'C1', 'C2'",
        ),
        (
            [{"kind": "sequence", "column": "user", "max_length": 2, "matches": "itm"}],
            DataError,
            r"log.csv must have the column 'itm', .*check data.fields.0.matches",
        ),
        (
            [{"kind": "sequence", "column": "user", "max_length": 2, "matches": "click"}],
            SettingsError,
            r"data.fields.0: a field must not read the label, but 'click' is data.label",
        ),
        (
            [{"kind": "sequence", "column": "user", "max_length": 2, "last": 1}, categorical("C1", name="user_last_1")],
            SettingsError,
            r"'user_last_1' comes from data.fields.0 \(sequence user\) and from data.fields.1",
        ),
        ([{"kind": "group", "column": "user"}], SettingsError, r"data.fields must hold a feature, but only a group"),
    ],
)
def test_fields_that_do_not_go_with_the_file_are_refused(
    plan: Callable[..., FieldPlan], fields: list[dict[str, Any]], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        plan(fields)


def test_a_missing_label_or_time_column_is_named(plan: Callable[..., FieldPlan]) -> None:
    with pytest.raises(DataError, match=r"must have the column 'label', .*check data.label"):
        plan([categorical("C1")], label="label")
    split = {"files": {"all": "x.csv"}, "split": {"kind": "time", "column": "when"}}
    with pytest.raises(DataError, match=r"must have the column 'when', .*check data.split.column"):
        plan([categorical("C1")], **split)


def test_a_column_that_is_matched_is_read_once_by_value(plan: Callable[..., FieldPlan]) -> None:
    history = {"kind": "sequence", "column": "user", "max_length": 2, "matches": "C1"}
    planned = plan([history, {"kind": "quantile", "column": "C1", "num_buckets": 2}])
    assert [feature.name for feature in planned.features] == ["user", "user_times_seen", "user_steps_ago", "C1"]
    assert planned.columns == ("user", "C1", "click")
    assert planned.distinct_columns == ("user", "C1", "click")
    assert planned.number_columns == ()

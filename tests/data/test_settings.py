import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from rankelastor.config.explain import explain_validation_error
from rankelastor.data.fingerprint import relevant_settings
from rankelastor.data.settings import DataSettings
from rankelastor.data.split_settings import TimeSplit

SettingsFor = Callable[..., DataSettings]


def explain(settings_for: SettingsFor, **changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        settings_for(changes)
    return explain_validation_error(caught.value, DataSettings, source="recipe.yaml")


def test_one_label_is_a_name_or_a_mapping(settings_for: SettingsFor) -> None:
    name, mapping = settings_for(), settings_for({"label": {"column": "click"}})
    assert name == mapping
    assert [target.task for target in name.targets] == ["click"]
    assert name.targets[0].label.positive is None


def test_settings_without_new_keys_matter_as_before(settings_for: SettingsFor) -> None:
    """Check the values that fingerprints of prepared folders depend on."""
    values = relevant_settings(settings_for())
    assert values["label"] == "click"
    assert not {"labels", "weight"} & values.keys()


def test_new_keys_matter(settings_for: SettingsFor) -> None:
    labels = {"click": "click", "like": {"column": "liked", "positive": "yes"}}
    values = relevant_settings(settings_for({"label": None, "labels": labels, "weight": "w"}))
    assert values["labels"] == labels
    assert values["weight"] == "w"


def test_several_labels_keep_their_names_order_and_places(settings_for: SettingsFor) -> None:
    settings = settings_for({"label": None, "labels": {"like": "liked", "click": {"column": "click", "positive": 1}}})
    assert [(target.task, target.label.column, target.place) for target in settings.targets] == [
        ("like", "liked", "data.labels.like"),
        ("click", "click", "data.labels.click"),
    ]
    assert settings.columns_beside_features == ("liked", "click")


def test_one_column_gives_several_labels_by_other_values(settings_for: SettingsFor) -> None:
    labels = {name: {"column": "action", "positive": name} for name in ("buy", "cart")}
    settings = settings_for({"label": None, "labels": labels, "weight": "w"})
    assert settings.columns_beside_features == ("action", "w")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": None}, "label or labels must be given, one of the two, but neither was given"),
        ({"labels": {"a": "x"}}, "label or labels must be given, one of the two, but both was given"),
        ({"label": None, "labels": {"a": "x", "b": "x"}}, "labels must differ, but several read ['x']; remove one"),
        ({"weight": "click"}, "weight must be a column of its own, but 'click' is a label too"),
        ({"label": {"column": "y", "positives": 1}}, "unknown setting label.positives; did you mean positive?"),
        ({"label": ["y"]}, "label must be a column name, or {column: NAME, positive: \"VALUE\"}, but ['y']"),
        ({"label": {"column": "y", "positive": ""}}, "label.positive"),
        ({"label": None, "labels": {}}, "labels"),
        ({"label": None, "labels": {"a": {"positive": 1}}}, "labels.a.column is missing, but required"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(
    settings_for: SettingsFor, changes: dict[str, Any], message: str
) -> None:
    assert message in explain(settings_for, **changes)


def test_the_schema_for_editors_takes_a_name_or_a_mapping() -> None:
    label = DataSettings.model_json_schema()["properties"]["label"]
    given = str(label)
    assert "'type': 'string'" in given
    assert "LabelSettings" in given


SPLIT_BY_DATE = {"kind": "time", "column": "t", "valid_from": dt.date(2024, 5, 1), "test_from": "2024-06-01T12:00Z"}


def test_a_split_by_dates_is_written_and_read_back() -> None:
    split = TimeSplit.model_validate(SPLIT_BY_DATE)
    written = split.model_dump(mode="json")
    assert written == {
        "kind": "time",
        "column": "t",
        "valid_from": "2024-05-01",
        "test_from": "2024-06-01T12:00Z",
    }
    assert TimeSplit.model_validate(written) == split
    assert TimeSplit(kind="time", column="t").model_dump() == {"kind": "time", "column": "t", "valid": 0.1, "test": 0.1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid": 0.2}, "valid must be left out with valid_from"),
        ({"valid_from": None}, "valid_from must be given with test_from"),
        ({"format": "dd.mm.yyyy"}, "format must be yymmddhh, iso, .* or a pattern"),
    ],
)
def test_a_split_by_dates_takes_no_shares(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TimeSplit.model_validate(SPLIT_BY_DATE | changes)


def test_later_settings_do_not_make_an_older_folder_stale() -> None:
    fields = [{"kind": "categorical", "column": "a"}, {"kind": "numeric", "column": "b"}]
    values = {"prepared": "p", "files": {"all": "x"}, "split": {"kind": "time", "column": "t"}, "label": "l"}
    relevant = relevant_settings(DataSettings.model_validate(values | {"fields": fields}))
    names = {"text", "unit", "infinite", "decimal", "thousands", "valid_from", "test_from"}
    assert not names & {name for entry in (*relevant["fields"], relevant["csv"], relevant["split"]) for name in entry}
    changed = [fields[0] | {"text": "as_written"}, fields[1] | {"unit": "days"}]
    relevant = relevant_settings(DataSettings.model_validate(values | {"fields": changed, "csv": {"decimal": ","}}))
    assert (relevant["fields"][0]["text"], relevant["fields"][1]["unit"]) == ("as_written", "days")
    assert relevant["csv"]["decimal"] == ","

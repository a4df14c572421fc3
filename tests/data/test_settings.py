from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from rankelastor.config.explain import explain_validation_error
from rankelastor.data.fingerprint import relevant_settings
from rankelastor.data.settings import DataSettings

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

from rankelastor.config.short_paths import SHORT_PATHS
from rankelastor.recipes.setting_tree import all_settings, recipe_settings


def test_every_setting_has_a_description_of_whole_sentences() -> None:
    for setting in all_settings():
        description, advice = setting.description, "needs Field(description=...), or a line in its layer's Args"
        assert description, f"{setting.path} {advice}"
        assert description.endswith("."), f"{setting.path}: {description!r} must end with a full stop"
        assert not description[0].islower(), f"{setting.path}: {description!r} must begin with a capital letter"
        assert "``" not in description, f"{setting.path}: {description!r} must have single backticks, as in Markdown"


def test_every_kind_is_described() -> None:
    for setting in all_settings():
        for group in setting.groups:
            assert group.description, f"{setting.path} of kind {group.kind} needs a docstring"


def test_values_and_defaults_are_known() -> None:
    found = {setting.path: setting for setting in all_settings()}
    assert all(setting.values for setting in found.values())
    assert (found["training.stopping.patience"].values, found["training.stopping.patience"].default) == (
        "whole number from 1",
        "2",
    )
    assert found["model.ffn.hidden_dims"].default is None
    assert found["data.fields"].kinds[:2] == ("categorical", "hashed")
    assert found["data.labels"].repeated == "mapping"


def test_a_setting_with_a_short_path_comes_once() -> None:
    paths = [setting.path for setting in all_settings()]
    for short, full in SHORT_PATHS.items():
        assert short not in paths
        assert paths.count(full) == 1
    assert {each.short_path for each in all_settings() if each.short_path} == set(SHORT_PATHS)


def test_only_what_every_recipe_needs_is_required() -> None:
    assert [each.name for each in recipe_settings().settings if each.default is None] == ["name", "data", "model"]

from __future__ import annotations

import pytest
from tests.models.every_model import KINDS, small
from tests.models.test_build import SCHEMA

from rankelastor.errors import SettingsError
from rankelastor.models.cost import cost_of
from rankelastor.models.overview import cost_with_settings_of, find_model, models_overview


def test_every_model_has_an_idea_a_source_and_described_settings() -> None:
    overview = models_overview()
    assert [model.kind for model in overview] == KINDS
    for model in overview:
        assert model.idea.endswith("."), model.kind
        assert model.source, model.kind
        for setting in model.settings:
            assert setting.description, (model.kind, setting.name)


def test_defaults_are_plain_values() -> None:
    settings = {setting.name: setting for setting in find_model("dcn_v2").settings}
    assert settings["cross"].default == {"kind": "full"}
    assert settings["hidden_dims"].default == []
    assert {setting.name for setting in find_model("mlp").settings if setting.required} == {"hidden_dims"}


def test_groups_are_listed_by_path_and_choices_by_kind() -> None:
    settings = {setting.name: setting for setting in find_model("finalnet").settings}
    assert settings["block1.hidden_dims"].required
    assert settings["block2.dropout"].default == 0.0
    mixing = next(setting for setting in find_model("rankmixer").settings if setting.name == "mixing")
    assert "kinds: split, full, kronecker" in mixing.description


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"a model must be one of rankelastor, .*, but 'widedeep' was given"):
        find_model("widedeep")


def test_another_model_is_counted_with_the_settings_that_it_shares() -> None:
    given = small("mlp", hidden_dims=[7, 5])
    assert cost_with_settings_of(given, "mlp", SCHEMA) == cost_of(given, SCHEMA)
    assert cost_with_settings_of(given, "deepfm", SCHEMA) == cost_of(small("deepfm", hidden_dims=[7, 5]), SCHEMA)
    regression = cost_with_settings_of(given, "logistic_regression", SCHEMA)
    assert regression is not None
    assert regression.dense_parameters == 1


def test_a_model_that_needs_more_has_no_figures() -> None:
    assert cost_with_settings_of(small("mlp"), "rankelastor", SCHEMA) is None
    assert cost_with_settings_of(small("mlp", hidden_dims=[7]), "finalmlp", SCHEMA) is None

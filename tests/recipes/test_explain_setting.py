import pytest

from rankelastor.errors import SettingsError
from rankelastor.recipes.explain_setting import explain_setting


def test_a_setting_is_explained_by_its_short_and_by_its_full_path() -> None:
    explained = explain_setting("training.patience")
    assert explained == explain_setting("training.stopping.patience")
    assert explained.startswith("training.stopping.patience, or in short training.patience\n")
    assert "values:  whole number from 1\n  default: 2" in explained


def test_a_group_lists_its_settings() -> None:
    explained = explain_setting("training.stopping")
    assert explained.startswith("training.stopping\n")
    for name in ("monitor", "min_delta", "rate_drop", "min_learning_rate", "patience"):
        assert f"\n  {name} " in explained
    assert "after which the run ends. (default: 2)" in " ".join(explained.split())
    assert "(required)" in explain_setting("model.ffn.glu")


@pytest.mark.parametrize("path", ["data.fields.numeric.transform", "data.fields.3.transform", "data.fields.transform"])
def test_an_element_of_a_list_is_chosen_by_kind_or_index_or_neither(path: str) -> None:
    explained = explain_setting(path)
    assert explained.startswith("data.fields.transform\n  if data.fields.kind is numeric\n")
    assert "values:  as_is, log, standardise or min_max" in explained


def test_a_choice_is_explained_for_one_kind_or_for_all() -> None:
    one, all_kinds = explain_setting("model.ffn.glu"), explain_setting("model.ffn.kind")
    assert "kind: glu" in one
    assert "kind: mlp" not in one
    assert "expansion" in one
    assert {"kind: glu", "kind: mlp"} <= {line.strip() for line in all_kinds.splitlines()}


def test_a_setting_of_several_kinds_is_explained_for_each_meaning() -> None:
    explained = explain_setting("model.hidden_dims")
    assert explained.count("model.hidden_dims\n") > 1
    assert "if model.kind is mlp, deepfm" in explained
    assert "if model.kind is dcn_v2\n" in explained
    same = explain_setting("model.ffn")
    assert same.count("model.ffn\n") == 1
    assert "if model.kind is rankelastor or rankmixer\n" in same


def test_an_element_of_a_mapping_is_chosen_by_its_name() -> None:
    assert explain_setting("data.labels.click.positive") == explain_setting("data.labels.positive")
    assert "values:  text or settings, or null" in explain_setting("data.label")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("training.patiance", "training.patience"),
        ("patience", "training.patience"),
        ("training.stop.patience", "training.stopping.patience"),
        ("data.field.numeric", "data.fields.numeric"),
        ("data.fields.numerc.transform", "data.fields.numeric.transform"),
        ("model.ffn.gluu", "model.ffn.glu"),
    ],
)
def test_a_near_miss_suggests_what_was_meant(path: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=rf"^unknown setting {path}; did you mean {meant}\?$"):
        explain_setting(path)


def test_a_path_that_is_far_from_all_names_where_settings_begin() -> None:
    with pytest.raises(
        SettingsError, match="settings begin with name, data, model, training, spectrum, version or extends"
    ):
        explain_setting("zzz")


def test_lines_keep_to_the_width() -> None:
    assert max(map(len, explain_setting("model", width=60).splitlines())) <= 60

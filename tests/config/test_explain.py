"""Messages of settings that are wrong, as a user of recipes reads them."""

from typing import Any

import pytest

from rankelastor.errors import SettingsError
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe


def mistake(recipe: Recipe, path: str, value: object) -> str:
    """The message of a recipe in which one setting is wrong, without the source."""
    with pytest.raises(SettingsError) as caught:
        with_overrides(recipe, {path: value})
    return str(caught.value).removeprefix("settings: ")


@pytest.mark.parametrize(
    ("path", "given", "meant"),
    [
        ("model.kind", "rankelastr", "rankelastor"),
        ("model.kind", "MLP", "mlp"),
        ("model.ffn.kind", "gluu", "glu"),
        ("model.mixing.kind", "lowrank", "low_rank"),
        ("model.tokenizer.kind", "join", "joint"),
        ("model.head.kind", "liner", "linear"),
        ("data.fields.0.kind", "categoric", "categorical"),
        ("training.order.kind", "windows", "window"),
    ],
)
def test_a_misspelt_kind_suggests_the_one_that_was_meant(recipe: Recipe, path: str, given: str, meant: str) -> None:
    message = mistake(recipe, path, given)
    assert message.startswith(f"{path} must be one of ")
    assert message.endswith(f"but {given!r} was given; did you mean {meant!r}?")


def test_a_misspelt_value_suggests_the_one_that_was_meant(recipe: Recipe) -> None:
    assert mistake(recipe, "model.ffn.gate", "publisched").endswith("; did you mean 'published'?")
    assert mistake(recipe, "training.device", "gpu").endswith("must be 'auto', 'cpu' or 'cuda', but 'gpu' was given")


def test_a_kind_that_is_missing_names_the_kinds(recipe: Recipe) -> None:
    assert mistake(recipe, "model.ffn", {"hidden_dims": [3]}) == (
        "model.ffn.kind is missing, but required; add one of 'mlp', 'glu', 'hyper_glu', 'swiglu', 'top_k_experts'"
    )


def test_settings_given_as_the_name_of_a_kind_show_how_to_write_it(recipe: Recipe) -> None:
    assert mistake(recipe, "model.mixing", "split") == (
        "model.mixing must be settings, `key: value`, but 'split' was given; try {kind: split}"
    )


@pytest.mark.parametrize(
    ("path", "given", "message"),
    [
        ("training.learning_rate", "fast", "training.learning_rate must be a number, but 'fast' was given"),
        ("training.epochs", "many", "training.epochs must be a whole number, but 'many' was given"),
        ("training.epochs", 1.5, "training.epochs must be a whole number, but 1.5 was given"),
        ("training.patience", [2], "training.patience must be a whole number, but [2] was given"),
        ("data.csv.header", "maybe", "data.csv.header must be true or false, but 'maybe' was given"),
        ("model.ffn.hidden_dims", 64, "model.ffn.hidden_dims must be a list, but 64 was given"),
        ("model.ffn.hidden_dims", [], "model.ffn.hidden_dims must hold 1 or more elements, but [] was given"),
        ("data.csv.delimiter", ";;", "data.csv.delimiter must have 1 or fewer characters, but ';;' was given"),
        ("data.files", "log.csv", "data.files must be settings, `key: value`, but 'log.csv' was given"),
    ],
)
def test_a_value_of_another_type_is_said_once_and_in_plain_words(
    recipe: Recipe, path: str, given: object, message: str
) -> None:
    assert mistake(recipe, path, given) == message


def test_alternatives_of_one_setting_are_one_mistake(recipe: Recipe) -> None:
    assert mistake(recipe, "data.fields.0.column", {"a": 1}) == (
        "data.fields.0.column must be text or a list, but {'a': 1} was given"
    )
    assert mistake(recipe, "data.fields.0.column", ["site", {"a": 1}]) == (
        "data.fields.0.column.1 must be text, but {'a': 1} was given"
    )
    assert mistake(recipe, "data.label", {"column": "click", "positive": ""}) == (
        "data.label.positive must have 1 or more characters, but '' was given"
    )


@pytest.mark.parametrize("path", ["data.weight", "data.csv.blanks.0", "data.fields.0.column", "data.label.column"])
def test_what_yaml_reads_as_a_truth_value_must_be_quoted_where_text_belongs(
    recipe_values: dict[str, Any], path: str
) -> None:
    recipe_values["data"] |= {"csv": {"blanks": ["?"]}, "label": {"column": "click", "positive": 1}}
    message = mistake(recipe_from_values(recipe_values), path, False)
    assert "must be text" in message
    assert message.endswith(
        "but False was given; YAML reads a bare no, off or false as a truth value: write it in quotes"
    )


def test_a_number_must_be_quoted_where_text_belongs(recipe: Recipe) -> None:
    assert mistake(recipe, "data.fields.0.column", 1).endswith("but 1 was given; write it in quotes")


def test_a_key_in_the_wrong_place_names_the_right_one(recipe: Recipe) -> None:
    assert mistake(recipe, "patience", 3).startswith(
        "unknown setting patience; did you mean training.stopping.patience? (known here: data, "
    )
    assert "did you mean data.csv.delimiter?" in mistake(recipe, "data.delimiter", ";")


def test_our_own_rules_name_the_whole_path(recipe: Recipe) -> None:
    assert mistake(recipe, "data.files.train", None).startswith("data.files must name `train` and `valid`")
    assert mistake(recipe, "data.split", {"kind": "random"}).startswith("data.split must be left out")
    assert mistake(recipe, "data.labels", {"a": "x"}).startswith("data.label or data.labels must be given")
    assert mistake(recipe, "data.fields.0.name", "x").startswith("data.fields.0.name must be given for a single column")
    assert mistake(recipe, "data.label", ["y"]).startswith("data.label must be a column name, or {column: ")


def test_a_missing_setting_is_named_by_its_path(recipe: Recipe) -> None:
    assert mistake(recipe, "model", {"kind": "mlp"}) == "model.hidden_dims is missing, but required; add it"
    assert mistake(recipe, "model", {"kind": "dcn_v2"}).startswith(
        "model.hidden_dims must hold at least one width with structure: stacked, but [] was given; try structure: "
    )


def test_a_long_value_is_cut(recipe: Recipe) -> None:
    assert len(mistake(recipe, "training.epochs", "x" * 5000)) < 250

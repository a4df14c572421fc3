import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from rankelastor.errors import SettingsError
from rankelastor.models.mixer import MixerSettings
from rankelastor.objectives.odds import UNCHANGED
from rankelastor.recipes.load import dump_yaml, load_recipe, parse_overrides, recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe

RECIPES = Path(__file__).parents[2] / "recipes"


def write(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_recipe_reads_back_as_it_was_written(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_yaml(recipe))
    assert load_recipe(path) == recipe


def test_a_recipe_may_be_given_as_values(recipe_values: dict[str, Any], recipe: Recipe, tmp_path: Path) -> None:
    before = copy.deepcopy(recipe_values)
    assert load_recipe(recipe_values) == recipe
    assert load_recipe(recipe_values, {"training.seed": 5}).training.seed == 5
    assert recipe_values == before, "the values that were given must stay as they are"
    base = write(tmp_path / "base.yaml", recipe_values)
    assert load_recipe({"extends": str(base), "name": "other"}).name == "other"
    with pytest.raises(SettingsError, match=r"^recipe: unknown setting training\.sed; did you mean seed\?"):
        load_recipe(recipe_values, {"training.sed": 2})


@pytest.mark.parametrize(
    "path", sorted(RECIPES.rglob("rankelastor*.yaml")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_the_recipes_of_this_project_start_the_output_bias_at_zero_as_published(path: Path) -> None:
    recipe = load_recipe(path)
    assert not recipe.starts_at_base_rate
    assert recipe.odds == UNCHANGED


def test_defaults_are_the_published_protocol(recipe_values: dict[str, Any]) -> None:
    del recipe_values["training"]
    training = recipe_from_values(recipe_values).training
    assert (training.optimiser.learning_rate, training.optimiser.clip_norm) == (1e-3, 10.0)
    stopping = training.stopping
    assert (stopping.patience, stopping.rate_drop) == (2, 0.1)
    assert (stopping.min_learning_rate, stopping.min_delta) == (1e-6, 1e-6)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("training.sed", 2, r"unknown setting training\.sed; did you mean seed\? \(known here: .*batch_size"),
        (
            "model.kind",
            "widedeep",
            r"model\.kind must be one of 'rankelastor', 'rankmixer', 'mlp', 'dcn_v2', .*, but 'widedeep' was given",
        ),
        (
            "model.ffn.kind",
            "moe",
            r"model\.ffn\.kind must be one of 'mlp', 'glu', 'hyper_glu', 'swiglu', 'top_k_experts', but 'moe' was",
        ),
        ("model.ffn.hidden_dim", [3], r"unknown setting model\.ffn\.hidden_dim; did you mean hidden_dims\?"),
        ("data.fields.0.min_count", 0, r"data\.fields\.0\.min_count must be greater than 0, but 0 was given"),
        ("training.learning_rate", "fast", r"training\.learning_rate must be a number, but 'fast' was given$"),
        ("training.learning_rate", float("nan"), r"training\.learning_rate must be .*finite"),
        ("data.split", {"kind": "random"}, "split must be left out if files names the splits"),
        ("data.files.train", None, "files must name `train` and `valid`"),
        ("training.seed", 2**70, r"training\.seed must be less than"),
        ("data.csv.quote", "é", "quote must be an ASCII character"),
        ("data.csv.delimiter", '"', r"data\.csv\.quote and data\.csv\.delimiter must differ"),
        ("data.csv.columns", ["a"], "columns must be left out if header is true"),
        (
            "data.fields.0.column",
            ["site", "site"],
            r"data\.fields\.0\.column must name each .* \['site'\] occur twice",
        ),
        ("data.fields.0.name", "x", "name must be given for a single column only"),
        ("name", "../x", r"name must match the pattern .*, but '..*/x' was given"),
    ],
)
def test_a_mistake_is_named_by_path_value_and_what_is_allowed(
    recipe_values: dict[str, Any], tmp_path: Path, path: str, value: object, message: str
) -> None:
    file = write(tmp_path / "recipe.yaml", recipe_values)
    with pytest.raises(SettingsError, match=message):
        load_recipe(file, {path: value})


def test_several_mistakes_are_listed_together(recipe_values: dict[str, Any]) -> None:
    recipe_values["training"] |= {"learning_rate": 0, "speed": 1}
    with pytest.raises(
        SettingsError, match=r"2 settings must be corrected\n.*learning_rate.*\n.*unknown setting training\.speed; "
    ):
        recipe_from_values(recipe_values)


def test_two_groups_are_refused(recipe_values: dict[str, Any]) -> None:
    recipe_values["data"]["fields"].append({"kind": "group", "column": "site"})
    with pytest.raises(SettingsError, match="one group at most, but 2 were given"):
        recipe_from_values(recipe_values)


def test_overrides_reach_into_lists_and_are_validated_in_full(recipe: Recipe) -> None:
    changed = with_overrides(recipe, {"data.fields.1.transform": "standardise", "training.seed": 5})
    assert changed.data.fields[1].model_dump()["transform"] == "standardise"
    assert changed.training.seed == 5
    assert recipe.training.seed == 1
    with pytest.raises(SettingsError, match="'9' must be an index below 3"):
        with_overrides(recipe, {"data.fields.9.transform": "log"})
    with pytest.raises(SettingsError, match=r"must be the path of a setting, but training\.seed is 1"):
        with_overrides(recipe, {"training.seed.x.y": 1})


def test_overrides_are_read_as_yaml() -> None:
    assert parse_overrides(["a.b=1e-3", "c=[1, 2]", "d=null", "e=text", "f=a=b"]) == {
        "a.b": 1e-3,
        "c": [1, 2],
        "d": None,
        "e": "text",
        "f": "a=b",
    }
    with pytest.raises(
        SettingsError, match=r"a change must read PATH=VALUE, but 'training.seed' was given; try training.seed=2"
    ):
        parse_overrides(["training.seed"])


def test_extends_merges_mappings_and_a_changed_kind_replaces_its_mapping(
    recipe_values: dict[str, Any], tmp_path: Path
) -> None:
    write(tmp_path / "base.yaml", recipe_values)
    mlp = {"kind": "mlp", "hidden_dims": [8]}
    changes = {"extends": "base.yaml", "name": "other", "model": {"kind": "rankelastor", "ffn": mlp}}
    recipe = load_recipe(write(tmp_path / "other.yaml", changes))
    assert recipe.name == "other"
    assert recipe.model.embedding_dim == 4
    assert isinstance(recipe.model, MixerSettings)
    assert recipe.model.ffn.kind == "mlp"


def test_extends_in_a_circle_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", {"extends": "b.yaml"})
    write(tmp_path / "b.yaml", {"extends": "a.yaml"})
    with pytest.raises(SettingsError, match="must not lead back to the file itself"):
        load_recipe(tmp_path / "a.yaml")


def test_environment_variables_are_filled_in(recipe_values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKS", "somewhere")
    recipe_values["data"]["files"]["folder"] = "${CLICKS}/log-${UNSET_HERE:-default}"
    assert recipe_from_values(recipe_values).data.files.folder == "somewhere/log-default"
    recipe_values["data"]["files"]["folder"] = "${UNSET_HERE}"
    with pytest.raises(SettingsError, match=r"data\.files\.folder: the environment variable UNSET_HERE must be set"):
        recipe_from_values(recipe_values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "must be YAML"),
        ("- a\n- b", "must hold settings as `key: value`, but holds list"),
        ("name: a\nname: b", "the key 'name' is given twice"),
        ("extends: 3", "extends must name one file"),
    ],
)
def test_a_file_that_is_no_recipe_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_recipe(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml does not exist; .* holds nothing$"):
        load_recipe(tmp_path / "nowhere.yaml")
    with pytest.raises(SettingsError, match="is a folder"):
        load_recipe(tmp_path)


def test_no_threads_and_no_batch_are_refused(recipe: Recipe) -> None:
    with pytest.raises(SettingsError, match=r"training\.threads must be greater than 0, but 0 was given"):
        with_overrides(recipe, {"training.threads": 0})
    with pytest.raises(SettingsError, match=r"training\.batch_size must be greater than 0, but 0 was given"):
        with_overrides(recipe, {"training.batch_size": 0})
    assert with_overrides(recipe, {"training.threads": None}).training.execution.threads is None


def test_the_order_names_its_kind(recipe: Recipe) -> None:
    with pytest.raises(SettingsError, match=r"training\.order\.kind must be one of 'uniform', 'window', but 'blocks'"):
        with_overrides(recipe, {"training.order": {"kind": "blocks"}})

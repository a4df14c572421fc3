"""What a recipe of version 2 leaves out is chosen for its data; what it gives stays."""

from typing import Any

import pytest

from rankelastor.data.prepare import open_or_prepare
from rankelastor.errors import SettingsError
from rankelastor.recipes.choices import choose
from rankelastor.recipes.completion import complete, complete_for
from rankelastor.recipes.facts import Facts
from rankelastor.recipes.load import dump_yaml, load_recipe, with_overrides
from rankelastor.recipes.recipe import Recipe

FACTS = Facts(num_rows=9_000, num_features=6, num_ids=3_000, num_fewer_valid=300)
VALUES: dict[str, Any] = {
    "name": "mine",
    "version": 2,
    "data": {
        "prepared": "prepared",
        "files": {"folder": "logs", "all": "clicks.csv"},
        "split": {"kind": "random"},
        "label": "click",
        "fields": [{"kind": "categorical", "column": ["site", "ad"]}],
    },
    "model": {"kind": "rankelastor"},
}


def chosen(recipe: Recipe, facts: Facts = FACTS) -> dict[str, Any]:
    return {choice.path: choice.value for choice in complete_for(recipe, facts).choices}


def test_a_recipe_that_names_only_its_model_gets_all_that_has_a_rule() -> None:
    recipe = load_recipe(VALUES)
    completed = complete_for(recipe, FACTS)
    assert completed.choices == choose(FACTS, "rankelastor")
    training = completed.recipe.training
    expected = {choice.path: choice.value for choice in completed.choices}
    assert training.batch_size == expected["training.batch_size"]
    assert training.stopping.patience == expected["training.stopping.patience"]
    assert completed.recipe.model.embedding_dim == expected["model.embedding_dim"]


def test_what_a_recipe_gives_is_kept_under_either_path() -> None:
    recipe = load_recipe(VALUES | {"training": {"batch_size": 7, "patience": 9, "stopping": {"rate_drop": 0.25}}})
    completed = complete_for(recipe, FACTS).recipe
    assert (completed.training.batch_size, completed.training.stopping.patience) == (7, 9)
    assert completed.training.stopping.rate_drop == 0.25
    assert (
        not {"training.batch_size", "training.stopping.patience", "training.stopping.rate_drop"} & chosen(recipe).keys()
    )


def test_null_is_given_too() -> None:
    recipe = load_recipe(VALUES | {"training": {"evaluate_every": None}})
    assert "training.evaluate_every" not in chosen(recipe)
    assert complete_for(recipe, FACTS).recipe.training.evaluate_every is None


def test_a_part_of_a_layer_is_completed_and_another_kind_is_left_as_it_is() -> None:
    part = load_recipe(VALUES | {"model": {"kind": "rankelastor", "ffn": {"dropout": 0.4}}})
    ffn = complete_for(part, FACTS).recipe.model.model_dump()["ffn"]
    assert (ffn["kind"], ffn["dropout"]) == ("glu", 0.4)
    assert "dropout" not in chosen(part)["model.ffn"]
    other = load_recipe(VALUES | {"model": {"kind": "rankelastor", "ffn": {"kind": "mlp", "hidden_dims": [5]}}})
    assert complete_for(other, FACTS).recipe.model.model_dump()["ffn"]["hidden_dims"] == (5,)
    assert "model.ffn" not in chosen(other)


def test_overrides_count_as_given_and_the_rest_is_still_chosen() -> None:
    recipe = with_overrides(load_recipe(VALUES), {"training.seed": 3, "training.batch_size": 8})
    assert recipe.given["training"] == {"seed": 3, "batch_size": 8}
    assert "training.optimiser.learning_rate" in chosen(recipe)


def test_a_completed_recipe_reads_back_with_nothing_left_to_choose(tmp_path: Any) -> None:
    completed = complete_for(load_recipe(VALUES), FACTS).recipe
    file = tmp_path / "config.yaml"
    file.write_text(dump_yaml(completed))
    again = load_recipe(file)
    assert again == completed
    assert chosen(again, Facts(50, 1, 9, 9)) == {}


@pytest.mark.parametrize("num_rows", [100, 1_000, 9_000, 30_000, 400_000, 5_000_000, 33_000_000])
@pytest.mark.parametrize("kind", ["rankelastor", "rankmixer", "mlp", "deepfm"])
def test_every_choice_is_valid_for_any_number_of_rows(num_rows: int, kind: str) -> None:
    recipe = load_recipe(VALUES | {"model": {"kind": kind}})
    completed = complete_for(recipe, Facts(num_rows, 3, num_rows, num_rows // 10)).recipe
    assert completed.model.kind == kind
    steps = num_rows / completed.training.batch_size
    assert steps >= 50 or completed.training.batch_size == 16


def test_a_model_without_a_rule_must_have_its_sizes_but_gets_the_rest() -> None:
    with pytest.raises(SettingsError, match=r"model\.stream1 is missing, but required"):
        load_recipe(VALUES | {"model": {"kind": "finalmlp"}})
    linear = load_recipe(VALUES | {"model": {"kind": "logistic_regression"}})
    assert "training.batch_size" in chosen(linear)


def test_version_1_means_what_it_meant(recipe: Recipe) -> None:
    assert (recipe.version, recipe.training.protocol) == (1, None)
    completed = complete(recipe, open_or_prepare(recipe.data).manifest)
    assert completed.recipe is recipe
    assert completed.choices == ()


def test_version_1_must_give_the_sizes_of_its_model() -> None:
    with pytest.raises(SettingsError, match=r"model\.num_tokens is missing, but required"):
        load_recipe({key: value for key, value in VALUES.items() if key != "version"})


def test_auto_needs_version_2() -> None:
    values = VALUES | {"version": 1, "model": {"kind": "fm"}, "training": {"protocol": "auto"}}
    with pytest.raises(SettingsError, match=r"training\.protocol=auto needs version: 2"):
        load_recipe(values)


@pytest.mark.parametrize("version", [1, 2])
def test_the_published_protocol_replaces_nothing_and_chooses_nothing(version: int) -> None:
    values = VALUES | {"version": version, "model": {"kind": "fm"}, "training": {"protocol": "published"}}
    recipe = load_recipe(values)
    assert recipe.training.rare_as_unseen.share == 0
    assert recipe.training.output_bias == "zero"
    assert not recipe.chooses
    assert recipe.training.batch_size == 4096


def test_the_published_protocol_refuses_what_it_does_not_have() -> None:
    values = VALUES | {"model": {"kind": "fm"}}
    training = {"protocol": "published", "rare_as_unseen": {"share": 0.5}}
    with pytest.raises(SettingsError, match=r"published goes with training\.rare_as_unseen\.share=0\.0, but 0\.5"):
        load_recipe(values | {"training": training})


def test_a_mistake_is_reported_where_it_was_made() -> None:
    with pytest.raises(SettingsError, match=r"model\.num_tokens must be a whole number, but 'many' was given"):
        load_recipe(VALUES | {"model": {"kind": "rankelastor", "num_tokens": "many"}})
    with pytest.raises(SettingsError, match=r"training\.patience must be"):
        load_recipe(VALUES | {"training": {"patience": 0}})


@pytest.mark.parametrize(("num_fewer_valid", "monitor"), [(49, "logloss"), (50, "auc")])
def test_the_auc_is_watched_where_valid_is_large_enough_to_calibrate_on(num_fewer_valid: int, monitor: str) -> None:
    assert chosen(load_recipe(VALUES), Facts(9_000, 6, 3_000, num_fewer_valid))["training.stopping.monitor"] == monitor


def test_with_few_rows_and_labels_training_begins_at_the_label_rate_and_goes_slowly() -> None:
    few, many = (chosen(load_recipe(VALUES), Facts(1_000, 6, 500, number)) for number in (11, 300))
    rare = chosen(load_recipe(VALUES), Facts(10_000, 6, 500, 11))
    assert "training.output_bias" not in rare
    assert few["training.output_bias"] == "base_rate"
    assert "training.output_bias" not in many
    assert few["training.optimiser.learning_rate"] < many["training.optimiser.learning_rate"]
    assert (few["training.evaluate_every"], many["training.evaluate_every"]) == (0.25, None)


@pytest.mark.parametrize(
    ("num_rows", "num_fewer_valid", "chosen"),
    [(9_000, 500, True), (250_000, 500, True), (250_001, 500, False), (9_000, 49, False)],
)
def test_value_rates_are_chosen_for_small_logs_with_enough_labels(
    num_rows: int, num_fewer_valid: int, chosen: bool
) -> None:
    choices = {choice.path: choice.value for choice in choose(Facts(num_rows, 8, 5_000, num_fewer_valid), "rankmixer")}
    assert choices["model.value_rates"] is chosen
    assert choices["model.first_order"] is not chosen
    assert (choices["training.stopping.rate_drop"] == 1) is chosen
    assert (choices["training.stopping.patience"] == 15) is chosen
    assert ("training.averaged_weights" in choices) is chosen


def test_no_average_is_chosen_for_tables_in_several_processes() -> None:
    sharded = {"embedding": "sharded"}
    rule = {"embedding_rule": "rowwise_adagrad", "embedding_learning_rate": 0.02}
    given = {**VALUES, "training": {"distributed": sharded, "optimiser": rule}}
    completed = complete_for(load_recipe(given), Facts(9_000, 8, 5_000, 500))
    assert completed.recipe.training.averaged_weights is None
    assert "training.averaged_weights" not in {choice.path for choice in completed.choices}


def test_long_epochs_are_evaluated_within() -> None:
    shares = [
        chosen(load_recipe(VALUES), Facts(rows, 6, rows, 900))["training.evaluate_every"]
        for rows in (900_000, 5_000_000, 33_000_000)
    ]
    assert shares == [None, 0.25, 0.1]


def test_probabilities_are_calibrated_unless_the_protocol_is_the_published_one() -> None:
    recipe = load_recipe(VALUES)
    assert complete_for(recipe, FACTS).recipe.training.calibration.kind == "auto"
    published = {"protocol": "published", "calibration": {"kind": "platt"}}
    with pytest.raises(SettingsError, match=r"goes with training\.calibration\.kind=none, but platt"):
        load_recipe(VALUES | {"model": {"kind": "fm"}, "training": published})


def test_numbers_are_standardised_where_nothing_is_said() -> None:
    fields = [
        {"kind": "numeric", "column": "price"},
        {"kind": "numeric", "column": "depth", "transform": "as_is"},
        {"kind": "categorical", "column": "site"},
    ]
    data = VALUES["data"] | {"fields": fields}
    recipe = load_recipe(VALUES | {"data": data})
    assert [getattr(field, "transform", None) for field in recipe.data.fields] == ["standardise", "as_is", None]
    assert chosen(recipe)["data.fields.numeric.transform"] == "standardise"
    assert complete_for(recipe, FACTS).recipe.data == recipe.data
    assert "data.fields.numeric.transform" not in chosen(load_recipe(VALUES))
    old = load_recipe(VALUES | {"version": 1, "data": data, "model": {"kind": "fm"}})
    assert [getattr(field, "transform", None) for field in old.data.fields] == ["as_is", "as_is", None]

from pathlib import Path
from typing import Any

import pytest

from rankelastor.errors import SettingsError
from rankelastor.recipes.recipe import Recipe
from rankelastor.tuning.space import Space

RATE = {"log": [1e-4, 1e-2]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, r"space must map settings to draws, but nothing was given; try `training.learning_rate: \{log"),
        ([1], "space must map settings to draws, but list was given"),
        (
            {"data.csv.delimiter": {"one_of": [",", ";"]}},
            "space: data.csv.delimiter must be a setting of model or train",
        ),
        ({"name": {"one_of": ["a", "b"]}}, "space: name must be a setting of model or training"),
        ({"training.seed": {"integer": [1, 9]}}, "space: training.seed must not be drawn: all trials have the seed"),
        ({"training.monitor": {"one_of": ["auc", "logloss"]}}, "space: training.monitor must not be drawn: trials are"),
        ({"model.a, model.a": RATE}, "space: model.a must be drawn once, but stands there twice"),
    ],
)
def test_a_space_that_is_none_is_explained(values: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Space.of(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"model.num_token": {"integer": [2, 4]}},
            "space: model.num_token must be drawn from .* but 2 does not fit: unknown setting .*; did you mean num_tok",
        ),
        ({"model.ffn.dropout": {"between": [0, 1.5]}}, r"but 1.5 does not fit: model.ffn.dropout must be less than 1"),
        ({"training.batch_size": {"one_of": [64, "many"]}}, "but 'many' does not fit: training.batch_size"),
    ],
)
def test_a_space_that_does_not_go_with_the_recipe_is_refused(
    recipe: Recipe, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        Space.of(values).check(recipe)


def test_a_space_is_written_as_it_is_read(tmp_path: Path, recipe: Recipe) -> None:
    values = {"training.learning_rate": RATE, "model.tokenizer.dropout, model.ffn.dropout": {"between": [0, 0.5]}}
    space = Space.of(values)
    space.check(recipe)
    file = tmp_path / "space.yaml"
    file.write_text(space.as_yaml())
    assert Space.read(file).as_dict() == space.as_dict() == values
    assert space.as_yaml().splitlines()[0] == "training.learning_rate: {log: [0.0001, 0.01]}"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"a space must be a readable YAML file, but .*space.yaml is not"):
        Space.read(tmp_path / "space.yaml")

"""Fields with a serving value: used in training, fixed when scoring, as a field or in a tower of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from tests.models.every_model import KINDS, small
from tests.models.test_build import BATCH, SCHEMA

from rankelastor.errors import DataError, SettingsError
from rankelastor.models.build import build_ranker
from rankelastor.recipes.load import recipe_from_values
from rankelastor.schema import CategoricalFeature, FeatureSchema, NumericFeature
from rankelastor.serving.predict import predict
from rankelastor.training.run import train

SITE, PRICE = CategoricalFeature("site", 5, serving_id=2), NumericFeature("price", serving_number=0.25)
SERVED = FeatureSchema((SITE, PRICE, *SCHEMA.features[2:]))


def fixed(schema: FeatureSchema) -> set[type]:
    return {type(feature) for feature in schema.features if feature.name in schema.served}


def test_in_evaluation_served_fields_have_one_value_and_while_training_their_own() -> None:
    assert fixed(SERVED) == {CategoricalFeature, NumericFeature}
    embed = build_ranker(small("mlp"), SERVED).embedding
    while_training = embed(BATCH).fields
    embed.eval()
    when_scoring = embed(BATCH).fields
    first_two = when_scoring[:, :2]
    torch.testing.assert_close(first_two, first_two[:1].expand_as(first_two))
    torch.testing.assert_close(first_two[0, 0], embed.table[2])
    torch.testing.assert_close(first_two[0, 1], 0.25 * embed.numeric_vectors[0])
    torch.testing.assert_close(when_scoring[:, 2:], while_training[:, 2:])
    assert not torch.allclose(when_scoring[:, :2], while_training[:, :2])


@pytest.mark.parametrize("name", KINDS)
def test_the_network_of_every_model_does_not_see_the_fields_of_the_tower(name: str) -> None:
    settings = small(name, shallow_tower={"features": ["price"], "hidden_dims": [3]})
    ranker = build_ranker(settings, SERVED)
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    ranker(BATCH).sum().backward()
    assert all(parameter.grad is not None for parameter in ranker.parameters())
    network = ranker.network.eval()
    fields = ranker.embedding(BATCH)
    other = fields.fields.clone()
    other[:, 1] += 1.0
    moved = network(fields._replace(fields=other)) - network(fields)
    width = fields.fields.shape[2]
    tower = network.tower
    expected = tower(other[:, 1].view(3, width)) - tower(fields.fields[:, 1].view(3, width))  # type: ignore[operator]
    torch.testing.assert_close(moved, expected)


def test_a_tower_needs_a_field_with_a_serving_value() -> None:
    with pytest.raises(
        SettingsError, match=r"model\.shallow_tower needs a field with a serving_value, but data\.fields"
    ):
        build_ranker(small("mlp", shallow_tower={}), SCHEMA)
    with pytest.raises(
        SettingsError, match=r"model\.shallow_tower\.features must name fields with a serving_value, but"
    ):
        build_ranker(small("mlp", shallow_tower={"features": ["user"]}), SERVED)


def served_values(values: dict[str, Any], serving_value: str) -> dict[str, Any]:
    site, price, group = values["data"]["fields"]
    device = {"kind": "categorical", "column": "device", "serving_value": serving_value}
    return values | {"data": values["data"] | {"fields": [site | {"column": "site"}, device, price, group]}}


def test_rows_to_be_scored_may_lack_the_column(recipe_values: dict[str, Any], tmp_path: Path) -> None:
    values = served_values(recipe_values, "phone") | {"model": {"kind": "mlp", "hidden_dims": [4], "shallow_tower": {}}}
    run = train(recipe_from_values(values), folder=tmp_path / "run").folder
    predict(run, tmp_path / "log" / "test.csv", tmp_path / "with.csv")
    rows = pl.read_csv(tmp_path / "log" / "test.csv").drop("device")
    rows.write_csv(tmp_path / "lacks.csv")
    predict(run, tmp_path / "lacks.csv", tmp_path / "without.csv")
    assert pl.read_csv(tmp_path / "with.csv")["probability"].equals(
        pl.read_csv(tmp_path / "without.csv")["probability"]
    )


def test_a_serving_value_that_train_lacks_is_refused(recipe_values: dict[str, Any], tmp_path: Path) -> None:
    recipe = recipe_from_values(served_values(recipe_values, "watch"))
    with pytest.raises(DataError, match=r"serving_value of the field device must be a value of train, but 'watch' was"):
        train(recipe, folder=tmp_path / "run")

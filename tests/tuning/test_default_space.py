import pytest
from tests.models.every_model import small

from rankelastor.models.overview import models_overview
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import CategoricalFeature, FeatureSchema
from rankelastor.tuning.default_space import default_space

SCHEMA = FeatureSchema(tuple(CategoricalFeature(f"field{index}", 9) for index in range(6)))


@pytest.mark.parametrize("kind", [model.kind for model in models_overview()])
def test_every_model_has_a_space_that_fits(recipe: Recipe, kind: str) -> None:
    of_model = recipe.model_copy(update={"model": small(kind)})
    space = default_space(of_model, SCHEMA)
    space.check(of_model)
    assert "training.optimiser.learning_rate" in space.draws


def test_widths_of_hidden_layers_are_drawn_wherever_they_are(recipe: Recipe) -> None:
    streams = {"stream1": {"hidden_dims": [8, 5]}, "stream2": {"hidden_dims": [4]}}
    settings = type(small("finalmlp")).model_validate(small("finalmlp").model_dump() | streams | {"num_heads": 1})
    draws = default_space(recipe.model_copy(update={"model": settings}), SCHEMA).as_dict()
    assert draws["model.stream1.hidden_dims"] == {"one_of": [[4, 3], [8, 5], [16, 10]]}
    assert draws["model.stream2.hidden_dims"] == {"one_of": [[2], [4], [8]]}


def test_it_lies_around_the_recipe(recipe: Recipe) -> None:
    changed = with_overrides(recipe, {"training.learning_rate": 0.008, "training.embedding_l2": 0.5})
    draws = default_space(changed, SCHEMA).as_dict()
    assert draws["training.optimiser.learning_rate"] == {"log": [0.002, 0.032]}
    assert draws["training.optimiser.embedding_l2"] == {"log": [1e-4, 5.0]}
    size = recipe.training.batch_size
    assert draws["training.batch_size"]["one_of"][-2:] == [size, 2 * size]


def test_sizes_that_do_not_fit_are_not_drawn(recipe: Recipe) -> None:
    model = {"kind": "rankelastor", "embedding_dim": 8, "num_tokens": 16, "token_dim": 8, "num_blocks": 1}
    parts = {"tokenizer": {"kind": "split"}, "ffn": {"kind": "glu", "hidden_dims": [4]}}
    split = with_overrides(recipe, {"model": model | parts})
    # six fields of 4, 8, 16 or 32 are cut into sixteen parts: 4 does not go
    assert default_space(split, SCHEMA).as_dict()["model.embedding_dim"] == {"one_of": [8, 16, 32]}

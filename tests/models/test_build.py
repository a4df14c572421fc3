from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from pydantic import TypeAdapter
from tests.models.every_model import small

from rankelastor.errors import SettingsError
from rankelastor.models import mixings
from rankelastor.models.build import build_network, build_ranker
from rankelastor.models.catalogue import ModelSettings
from rankelastor.models.mlp import MlpSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.periodic import PeriodicNumbers
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.identity import IdentityMixing
from rankelastor.nn.mixing.kronecker import KroneckerMixing
from rankelastor.nn.mixing.sinkhorn import DoublyStochasticMatrix
from rankelastor.nn.mixing.split import SplitMixing
from rankelastor.nn.scheduled import scheduled_modules
from rankelastor.recipes.load import recipe_from_values
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature

SCHEMA = FeatureSchema(
    (CategoricalFeature("site", 5), NumericFeature("price"), CategoricalFeature("user", 9), NumericFeature("age"))
)
BATCH = Batch(
    categorical=torch.tensor([[1, 8], [4, 0], [3, 2]], dtype=torch.int32),
    numeric=torch.tensor([[0.5, 1.0], [0.0, -1.0], [2.0, 0.1]]),
    labels=None,
    group=None,
)
GLU = {"kind": "glu", "hidden_dims": [6]}
MLP = {"kind": "mlp", "hidden_dims": [7]}


def settings(**changes: Any) -> RankerSettings:
    base = {"kind": "rankelastor", "embedding_dim": 6, "num_tokens": 4, "token_dim": 8, "tokenizer": {"kind": "split"}}
    adapter: TypeAdapter[RankerSettings] = TypeAdapter(ModelSettings)
    return adapter.validate_python(base | {"ffn": GLU} | changes)


TOKENIZERS = [
    {"tokenizer": {"kind": "split", "hidden_dims": [5], "dropout": 0.5}},
    {"tokenizer": {"kind": "joint"}},
    {"tokenizer": {"kind": "none"}, "token_dim": 6, "mixing": {"kind": "full"}},
    {"tokenizer": {"kind": "grouped", "groups": {"a": ["site"], "b": ["price", "user"], "c": ["age"]}}, "num_tokens": 3,
     "mixing": {"kind": "full"}},
]  # fmt: skip
MIXINGS = [
    {"kind": "split"},
    {"kind": "full"},
    {"kind": "kronecker", "num_groups": 2, "norm": "post"},
    {"kind": "kronecker", "num_groups": 4, "norm": "pre"},
    {"kind": "low_rank", "rank": 3},
    {"kind": "block", "block_dim": 16},
    {"kind": "block", "block_dim": 4, "global_map": {"kind": "sinkhorn"}},
    {"kind": "identity"},
]


@pytest.mark.parametrize("kind", ["rankelastor", "mlp", "logistic_regression", "fm", "deepfm"])
def test_numbers_may_be_waves_or_places_among_edges_in_any_model(kind: str) -> None:
    schema = FeatureSchema((*SCHEMA.features, NumericFeature("length", num_edges=3)))
    batch = replace(BATCH, numeric=torch.cat([BATCH.numeric, torch.tensor([[0.0], [1.5], [3.0]])], dim=1))
    torch.manual_seed(0)
    ranker = build_ranker(small(kind, numbers={"kind": "periodic"}, embedding_std=0.1), schema)
    ranker(batch).sum().backward()
    numbers = ranker.embedding.numbers
    assert isinstance(numbers, PeriodicNumbers)
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in numbers.parameters())
    learned = ranker.embedding.table.grad
    assert learned is not None
    assert learned[-4:].any(dim=1).tolist() == [True, True, True, True]  # three edges and the blank
    assert 0.05 < ranker.embedding.table.std() < 0.2


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda changes: changes["tokenizer"]["kind"])
@pytest.mark.parametrize("head", ["mlp", "linear", "mean"])
@pytest.mark.parametrize("kind", ["rankelastor", "rankmixer"])
def test_every_tokenizer_and_head_gives_one_logit_per_task(tokenizer: dict[str, Any], head: str, kind: str) -> None:
    changes = {"kind": kind, "mixing": {"kind": "full"}, "head": {"kind": head}, **tokenizer}
    ranker = build_ranker(settings(**changes), replace(SCHEMA, tasks=("click", "like")))
    logits = ranker(BATCH)
    assert logits.shape == (3, 2)
    logits.sum().backward()


@pytest.mark.parametrize("mixing", MIXINGS, ids=lambda mixing: f"{mixing['kind']}")
@pytest.mark.parametrize("ffn", [GLU, GLU | {"gate": "paper"}, MLP], ids=["published", "paper", "mlp"])
def test_every_mixing_goes_with_every_ffn(mixing: dict[str, Any], ffn: dict[str, Any]) -> None:
    ranker = build_ranker(settings(mixing=mixing, ffn=ffn), SCHEMA)
    assert torch.isfinite(ranker(BATCH)).all()


def test_rankmixer_and_rankelastor_are_the_same_blocks_with_other_defaults() -> None:
    def mixing_of(**changes: Any) -> type:
        return type(build_ranker(settings(**changes), SCHEMA).points["block0.mixing"])

    assert mixing_of(kind="rankmixer") is SplitMixing
    assert mixing_of(kind="rankelastor") is FullMixing
    assert mixing_of(kind="rankmixer", mixing={"kind": "kronecker", "num_groups": 2}) is KroneckerMixing
    assert mixing_of(kind="rankelastor", mixing={"kind": "identity"}) is IdentityMixing


def test_points_are_named_in_the_order_of_computation() -> None:
    points = build_ranker(settings(num_blocks=2), SCHEMA).points
    assert list(points) == ["fields", "tokens", "block0.mixing", "block0.pffn", "block1.mixing", "block1.pffn"]


def test_the_same_seed_gives_the_same_ranker() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build_ranker(settings(), SCHEMA).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_tokens": 5}, r"^model\.num_tokens must divide field \* embedding_dim = 24 .* but 5 was given"),
        ({"mixing": {"kind": "split"}, "num_tokens": 3}, "num_tokens must divide token_dim = 8 for split mixing"),
        ({"mixing": {"kind": "kronecker", "num_groups": 5}}, r"mixing\.num_groups must divide"),
        ({"mixing": {"kind": "low_rank", "rank": 33}}, r"^model\.mixing\.rank must be at most .* = 32 .* 33 was given"),
        (
            {"mixing": {"kind": "block", "block_dim": 5}},
            r"mixing\.block_dim must divide .* = 32 .* try one of 1, 2",
        ),
        ({"tokenizer": {"kind": "none"}}, r"must equal num_tokens \* token_dim without a tokenizer"),
        (
            {"tokenizer": {"kind": "grouped", "groups": {"a": ["site"]}}},
            r"must name one group per token, but 1 groups and num_tokens 4",
        ),
        (
            {"tokenizer": {"kind": "grouped", "groups": {"a": ["sight"]}}, "num_tokens": 1},
            r"must hold every field once, but \['sight'\] are unknown fields",
        ),
        (
            {"tokenizer": {"kind": "grouped", "groups": {"a": ["site", "price", "user"]}}, "num_tokens": 1},
            r"\['age'\] are in no group",
        ),
        (
            {"tokenizer": {"kind": "grouped", "groups": {"a": list(SCHEMA.names), "b": ["age"]}}, "num_tokens": 2},
            r"\['age'\] are listed twice",
        ),
    ],
)
def test_sizes_that_do_not_go_together_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        build_network(settings(**changes), SCHEMA)


def test_another_value_error_of_a_layer_is_not_dressed_up_as_the_users() -> None:
    class Broken(MlpSettings):
        kind: Literal["mlp"] = "mlp"

        def network(self, schema: FeatureSchema) -> Any:
            raise ValueError(f"our own mistake with {schema.names[0]}")

    with pytest.raises(ValueError, match="our own mistake with site") as caught:
        build_network(Broken(hidden_dims=(2,)), SCHEMA)
    assert not isinstance(caught.value, SettingsError)


def test_the_settings_of_the_sinkhorn_map_reach_the_layer() -> None:
    made = {"kind": "sinkhorn", "start_temperature": 2.0, "end_temperature": 0.5, "fall_epochs": 4, "iterations": 7}
    changes = {"mixing": {"kind": "block", "block_dim": 8, "global_map": made}, "num_blocks": 1}
    (matrix,) = scheduled_modules(build_ranker(settings(**changes), SCHEMA))
    assert isinstance(matrix, DoublyStochasticMatrix)
    assert (matrix.start_temperature, matrix.end_temperature, matrix.fall_epochs, matrix.iterations) == (2, 0.5, 4, 7)


def test_an_unknown_mixing_lists_the_known_ones(recipe_values: dict[str, Any]) -> None:
    recipe_values["model"]["mixing"] = {"kind": "lowrank"}
    known = ", ".join(map(repr, mixings.MIXINGS.classes))
    with pytest.raises(SettingsError, match=rf"model\.mixing\.kind must be one of {known}, but 'lowrank' was given"):
        recipe_from_values(recipe_values)

"""What holds for every model with every sequence layer, and what the settings refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from tests.models.every_model import KINDS, small
from torch.utils.flop_counter import FlopCounterMode

from rankelastor.data.loading.loader import BatchLoader
from rankelastor.errors import SettingsError
from rankelastor.evaluation.scoring import score_split
from rankelastor.execution.lowering import Lowering
from rankelastor.execution.slices import couples_examples
from rankelastor.models.build import build_ranker
from rankelastor.models.cost import cost_of
from rankelastor.models.sequences import places_of
from rankelastor.nn.tokenizer.with_sequences import WithSequenceTokens
from rankelastor.recipes.load import recipe_from_values
from rankelastor.runs.load import load_run
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature, SequenceFeature
from rankelastor.serving.predict import predict
from rankelastor.training.run import train

SCHEMA = FeatureSchema(
    (
        CategoricalFeature("site", 5),
        SequenceFeature("history", 9, max_length=3, shares="item"),
        NumericFeature("price"),
        CategoricalFeature("item", 9),
        SequenceFeature("gap", 4, max_length=3),
    ),
    tasks=("click", "like"),
)
BATCH = Batch(
    categorical=torch.tensor([[1, 8], [4, 2], [3, 2]], dtype=torch.int32),
    numeric=torch.tensor([[0.5], [1.0], [2.0]]),
    labels=None,
    group=None,
    sequence=torch.tensor([[1, 2, 3, 1, 2, 3], [0, 0, 4, 0, 0, 1], [0, 0, 0, 0, 0, 0]], dtype=torch.int32),
)
LAYERS: dict[str, dict[str, Any]] = {
    "mean": {"positions": True},
    "target_attention": {"hidden_dims": [5], "time_gap": "gap"},
    "target_attention-prelu": {"activation": "prelu", "softmax": True},
    "transformer": {"ffn_dim": 6, "last": 2},
    "hstu": {"num_layers": 2},
}
WITHOUT_EFFECT = ("alpha", "key.bias", "unit.2.bias")
"""What a softmax, or inputs of one sign, leave without effect."""


def read_by(layer: str, **changes: Any) -> dict[str, Any]:
    return {"kind": layer.partition("-")[0], "features": ["history"], **LAYERS[layer], **changes}


def test_by_default_every_sequence_is_read_for_the_field_whose_rows_it_shares() -> None:
    schema = FeatureSchema(SCHEMA.features[:4])
    ranker = build_ranker(small("mlp", sequence={"kind": "target_attention", "activation": "prelu"}), schema).eval()
    torch.nn.init.normal_(ranker.embedding.table.data)
    batch = replace(BATCH, sequence=BATCH.sequence[:, :3])  # type: ignore[index]
    embedded = ranker.embedding(batch)
    (encoder,), inner = ranker.network.encoders, ranker.network.network  # type: ignore[misc]
    vector = encoder(embedded.sequences[0], embedded.fields[:, 3])
    fields = embedded.fields.clone()
    fields[:, 1] = vector
    torch.testing.assert_close(ranker(batch), inner(type(embedded)(fields)))  # type: ignore[operator]


def test_an_element_of_a_sequence_is_no_target() -> None:
    newest = CategoricalFeature("history_last_1", 9, shares="item", element_of="history")
    settings = small("mlp", sequence={"kind": "target_attention"})
    schema = FeatureSchema((newest, *SCHEMA.features[:4]))
    (place,) = places_of(settings.sequence, schema)  # type: ignore[arg-type] # given above
    assert schema.names[place.target] == "item"
    own = (SequenceFeature("gap", 4, max_length=3), CategoricalFeature("gap_last_1", 4, shares="gap", element_of="gap"))
    with pytest.raises(SettingsError, match="the sequence gap shares rows with no categorical field; try one of site"):
        build_ranker(settings, FeatureSchema((SCHEMA.features[0], *own)))


MIXERS: dict[str, dict[str, Any]] = {
    "rankelastor": {"num_tokens": 5},
    "rankmixer_paper": {"num_tokens": 4, "token_dim": 8},
    "tokenmixer_large": {"num_tokens": 5},
    "unimixer": {"num_tokens": 4},
    "unimixer-lite": {"num_tokens": 4},
}


@pytest.mark.parametrize("name", MIXERS)
def test_elements_of_sequences_are_tokens_of_a_mixer(name: str) -> None:
    torch.manual_seed(0)
    ranker = build_ranker(small(name, sequence=read_by("mean", output="tokens"), **MIXERS[name]), SCHEMA).eval()
    (tokenizer,) = (module for module in ranker.modules() if isinstance(module, WithSequenceTokens))
    embedded = torch.randn(2, len(SCHEMA.features) + 3, 4)
    tokens = tokenizer(embedded)
    torch.testing.assert_close(tokens[:, -3:], tokenizer.linear(embedded[:, -3:]))
    own = tokens[:, :-3]
    embedded[:, -3:] += 1
    torch.testing.assert_close(tokenizer(embedded)[:, :-3], own)  # the other tokens read the fields alone


@pytest.mark.parametrize("output", ["vector", "tokens"])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", ["rankelastor", "mlp", "fm", "multi_embedding"])
def test_every_parameter_learns(name: str, layer: str, output: str) -> None:
    changes = {"num_tokens": 5} if name == "rankelastor" and output == "tokens" else {}
    torch.manual_seed(0)
    ranker = build_ranker(small(name, sequence=read_by(layer, output=output), **changes), SCHEMA)
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    logits = ranker(BATCH)
    assert logits.shape[:2] == (3, 2)
    (logits * torch.randn_like(logits)).sum().backward()
    for parameter_name, parameter in ranker.named_parameters():
        assert parameter.grad is not None, parameter_name
        if parameter.numel() and not any(end in parameter_name for end in WITHOUT_EFFECT):
            assert parameter.grad.any(), parameter_name


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", KINDS)
def test_every_model_reads_sequences_and_counts_their_cost(name: str, layer: str) -> None:
    settings = small(name, sequence=read_by(layer))
    ranker = build_ranker(settings, SCHEMA).eval()
    assert next(iter(ranker.points)) == "sequence.history"
    alone = torch.cat([ranker(part) for part in BATCH.split(1)])
    torch.testing.assert_close(alone, ranker(BATCH))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        ranker(next(BATCH.split(1)))
    assert cost_of(settings, SCHEMA).flops_per_example == counter.get_total_flops()


@pytest.mark.parametrize("layer", LAYERS)
def test_kernels_give_the_same_logits(layer: str) -> None:
    ranker = build_ranker(small("rankelastor", sequence=read_by(layer)), SCHEMA).eval()
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    with torch.no_grad():
        embedded = ranker.embedding(BATCH)
        torch.testing.assert_close(Lowering(ranker.network).current()(embedded), ranker.network(embedded))


def test_only_dice_couples_examples() -> None:
    coupled = {
        layer: couples_examples(*build_ranker(small("mlp", sequence=read_by(layer)), SCHEMA).modules())
        for layer in LAYERS
    }
    assert [layer for layer, couples in coupled.items() if couples] == ["target_attention"]


@pytest.mark.parametrize("layer", LAYERS)
def test_bf16_gives_about_the_same_logits(layer: str) -> None:
    ranker = build_ranker(small("mlp", sequence=read_by(layer)), SCHEMA).eval()
    with torch.autocast("cpu", torch.bfloat16):
        rough = ranker(BATCH)
    torch.testing.assert_close(rough.float(), ranker(BATCH), atol=0.2, rtol=0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "price"}, r"model\.sequence\.target must name a categorical field, but 'price' was given; try one"),
        ({"features": ["site"]}, r"model\.sequence\.features must name sequence fields, but 'site' was given"),
        ({"features": ["gap"]}, r"model\.sequence\.target must be given, since the sequence gap shares rows with no"),
        (
            {"output": "tokens"},
            r"model\.num_tokens must leave a token .* beside the 3 tokens of sequences, but leaves 2 .* add at least 2",
        ),
    ],
)
def test_a_setting_that_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        build_ranker(small("rankelastor", sequence=read_by("hstu", **changes)), SCHEMA)


def test_data_without_sequences_are_refused_before_they_are_read(recipe_values: dict[str, Any]) -> None:
    model = recipe_values["model"] | {"sequence": {"kind": "hstu"}}
    with pytest.raises(SettingsError, match=r"model\.sequence needs a field of lists, but data\.fields has none"):
        recipe_from_values(recipe_values | {"model": model})


@pytest.mark.parametrize("layer", ["target_attention", "transformer", "hstu"])
def test_a_trained_model_comes_back_and_predicts_what_it_scored(
    layer: str, recipe_values: dict[str, Any], tmp_path: Path
) -> None:
    for split in ("train", "valid", "test"):
        file = tmp_path / "log" / f"{split}.csv"
        rows = pl.read_csv(file).with_columns(past=pl.Series(["a|b", "", "b", "c|a|b", "a", "b", "c|c", "", "a", "b"]))
        rows.write_csv(file)
    past = {"kind": "sequence", "column": "past", "separator": "|", "max_length": 2, "shares": "site"}
    data = recipe_values["data"] | {"fields": [*recipe_values["data"]["fields"], past]}
    model = recipe_values["model"] | {"sequence": {"kind": layer}, "tokenizer": {"kind": "joint"}}
    training = recipe_values["training"] | {"epochs": 1}
    run = train(
        recipe_from_values(recipe_values | {"data": data, "model": model, "training": training}),
        folder=tmp_path / "run",
    ).folder
    loaded = load_run(run)
    test = BatchLoader(loaded.dataset().split("test"), batch_size=4)
    expected = score_split(loaded.ranker, test, loaded.recipe.training.execution, tasks=("click",)).probability
    predict(run, tmp_path / "log" / "test.csv", tmp_path / "scored.csv")
    predicted = pl.read_csv(tmp_path / "scored.csv")["probability"].to_numpy()
    assert predicted == pytest.approx(expected[:, 0], abs=1e-6)

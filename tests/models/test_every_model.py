"""What holds for every model: it learns everywhere, counts its cost, and comes back from a run folder as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from tests.models.every_model import COUPLED_BY_STATE, KINDS, VARIANTS, small
from tests.models.test_build import BATCH, SCHEMA
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from rankelastor.data.loading.loader import BatchLoader
from rankelastor.evaluation.scoring import score_split
from rankelastor.execution.slices import couples_examples
from rankelastor.models.build import build_ranker
from rankelastor.models.cost import cost_of
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.recipes.load import recipe_from_values
from rankelastor.runs.load import load_run
from rankelastor.schema import FeatureSchema
from rankelastor.serving.predict import predict
from rankelastor.training.run import train

EVERY = pytest.mark.parametrize("name", VARIANTS)
WITHOUT_EFFECT = {"fibinet-field": ("squeeze.squeeze.weight", "squeeze.excite.weight", "pairs.1.weight")}
"""Parameters without a gradient: of four fields FiBiNET keeps one in its summary, and its ReLU happens to be off."""


def fresh(name: str, schema: FeatureSchema = SCHEMA) -> Ranker:
    torch.manual_seed(0)
    ranker = build_ranker(small(name), schema)
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    return ranker


def loss_of(ranker: Ranker, labels: Tensor) -> Tensor:
    batch = replace(BATCH, labels=labels)
    objective = BinaryCrossEntropy()
    return objective(ranker(batch), batch, total=objective.total(batch))


def test_every_kind_has_small_settings() -> None:
    assert [name for name in VARIANTS if "-" not in name] == KINDS


@EVERY
def test_every_parameter_learns(name: str) -> None:
    ranker = fresh(name, replace(SCHEMA, tasks=("click", "like")))
    loss_of(ranker, torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])).backward()
    for parameter_name, parameter in ranker.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        without_effect = any(end in parameter_name for end in WITHOUT_EFFECT.get(name, ()))
        assert parameter.grad.any() != without_effect, parameter_name


@EVERY
def test_in_evaluation_an_example_has_one_logit_per_task_whatever_stands_beside_it(name: str) -> None:
    ranker = fresh(name, replace(SCHEMA, tasks=("click", "like"))).eval()
    logits = ranker(BATCH)
    assert logits.shape == (3, 2)
    for example, alone in enumerate(BATCH.split(1)):
        torch.testing.assert_close(ranker(alone)[0], logits[example])


@EVERY
def test_only_models_that_say_so_couple_examples(name: str) -> None:
    ranker = fresh(name).train()
    alone = torch.cat([ranker(part) for part in BATCH.split(2)])
    together = torch.allclose(alone, ranker(BATCH), atol=1e-6)
    assert together != couples_examples(*ranker.modules()) or name in COUPLED_BY_STATE


@EVERY
def test_the_cost_is_what_pytorch_counts(name: str) -> None:
    cost = cost_of(small(name), SCHEMA)
    ranker = fresh(name).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        ranker(next(BATCH.split(1)))
    with FlopCounterMode(display=False) as training_counter:
        ranker.train()(next(BATCH.split(1))).sum().backward()
    assert cost.flops_per_example == counter.get_total_flops()
    assert cost.training_flops_per_example == training_counter.get_total_flops()
    assert cost.dense_parameters == sum(parameter.numel() for parameter in ranker.network.parameters())
    assert cost.embedding_parameters == sum(parameter.numel() for parameter in ranker.embedding.parameters())


@EVERY
def test_points_are_matrices_and_the_first_holds_the_field_embeddings(name: str) -> None:
    ranker, seen = fresh(name).eval(), {}
    for point, module in ranker.points.items():
        module.register_forward_hook(lambda _module, _inputs, output, point=point: seen.update({point: output}))
    ranker(BATCH)
    assert list(seen) == list(ranker.points)
    assert all(tensor.dim() == 3 for tensor in seen.values())
    first = next(iter(seen.values()))
    torch.testing.assert_close(first, ranker.embedding(BATCH).fields[..., : first.shape[2]])


@EVERY
def test_bf16_gives_about_the_same_logits(name: str) -> None:
    ranker = fresh(name).eval()
    with torch.autocast("cpu", torch.bfloat16):
        rough = ranker(BATCH)
    torch.testing.assert_close(rough.float(), ranker(BATCH), atol=0.2, rtol=0.1)


@pytest.mark.parametrize("name", [*KINDS, "rankelastor-rotation", "mlp-batch_norm"])
def test_a_trained_model_comes_back_and_predicts_what_it_scored(
    name: str, recipe_values: dict[str, Any], tmp_path: Path
) -> None:
    model = small(name).model_dump(mode="json")
    values = recipe_values | {"model": model, "training": recipe_values["training"] | {"epochs": 1}}
    run = train(recipe_from_values(values), folder=tmp_path / "run").folder
    loaded = load_run(run)
    rows = BatchLoader(loaded.dataset().split("test"), batch_size=4)
    expected = score_split(loaded.ranker, rows, loaded.recipe.training.execution, tasks=("click",)).probability
    predict(run, tmp_path / "log" / "test.csv", tmp_path / "scored.csv")
    predicted = pl.read_csv(tmp_path / "scored.csv")["probability"].to_numpy()
    assert predicted == pytest.approx(expected[:, 0], abs=1e-6)


class _Logits(torch.nn.Module):
    """The network with its embedded fields as a plain tensor, as exporters want it."""

    def __init__(self, ranker: Ranker) -> None:
        super().__init__()
        self.network = ranker.network

    def forward(self, fields: Tensor) -> Tensor:
        logits: Tensor = self.network(Embedded(fields))
        return logits


@pytest.mark.slow
@EVERY
def test_torch_export_gives_the_same_logits(name: str, without_shape_checks: None) -> None:
    ranker = fresh(name).eval()
    fields = ranker.embedding(BATCH).fields.detach()
    examples = torch.export.Dim("examples", min=2, max=1024)
    exported = torch.export.export(_Logits(ranker), (fields,), dynamic_shapes=({0: examples},))
    more = torch.cat([fields, fields.flip(1)])
    torch.testing.assert_close(exported.module()(more), _Logits(ranker)(more))


@pytest.mark.slow
@EVERY
def test_a_compiled_network_gives_the_same_logits_and_gradients(name: str, without_shape_checks: None) -> None:
    torch.compiler.reset()
    network = _Logits(fresh(name)).eval()
    fields = torch.randn(3, *fresh(name).embedding(BATCH).fields.shape[1:])
    traced = torch.compile(network, backend="aot_eager", fullgraph=True, dynamic=False)
    parameters = list(network.parameters())
    torch.testing.assert_close(traced(fields), network(fields))
    if parameters:
        ours, theirs = (
            torch.autograd.grad(call(fields).sum(), parameters, materialize_grads=True) for call in (network, traced)
        )
        torch.testing.assert_close(ours, theirs)


@EVERY
def test_a_batch_without_rows_has_no_logits(name: str) -> None:
    assert fresh(name).eval()(BATCH.padding(0)).shape == (0, 1)

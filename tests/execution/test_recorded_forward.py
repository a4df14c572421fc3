"""A recording computes what the layers compute, bit for bit, or is not made."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from tests.models.every_model import VARIANTS, small
from tests.models.test_build import SCHEMA
from tests.models.test_tasks import SHARINGS, TASKS
from torch import Tensor, nn

from rankelastor.config.execution import ExecutionSettings
from rankelastor.evaluation import scoring
from rankelastor.evaluation.scoring import Scorer
from rankelastor.execution import recorded_forward
from rankelastor.execution.recorded_forward import RecordedForward
from rankelastor.models.build import build_ranker
from rankelastor.native import crew
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature, SequenceFeature


class Layer(nn.Module):
    """A layer with one weight, whose forward is given."""

    def __init__(self, compute) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3), requires_grad=False)
        self.register_buffer("shift", torch.randn(3))
        self.compute = compute
        self.num_calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.num_calls += 1
        result: Tensor = self.compute(self, x)
        return result


def record(layer: Layer) -> RecordedForward:
    """Make a recorded forward that has seen the shape (4, 3) twice."""
    forward = RecordedForward(layer, layer)
    forward(torch.randn(4, 3))
    forward(torch.randn(4, 3))
    return forward


REPEATABLE = {
    "an operation": lambda _, x: x.relu(),
    "a product with weights": lambda layer, x: torch.addmm(layer.shift, x, layer.weight),
    "a linear map": lambda layer, x: nn.functional.linear(x, layer.weight, layer.shift),
    "views": lambda _, x: x.view(2, 6).t().unsqueeze(0).flatten()[::2].clone(),
    "a view of the input": lambda _, x: x[1:],
    "the input": lambda _, x: x,
    "a change in place": lambda layer, x: x.exp().add_(layer.shift).mul_(2),
    "a change of a part": lambda _, x: x.clone().index_fill_(0, torch.tensor([1]), 0.0),
    "an accumulator": lambda _, x: torch.zeros(3).add_(x.sum(0)),
    "memory that is written later": lambda _, x: torch.empty(4, 3).copy_(x).neg(),
    "memory like that of the weights": lambda layer, x: torch.add(x, 1, out=layer.weight.new_empty(4, 3)).neg(),
    "zeros like the weights": lambda layer, x: torch.zeros_like(layer.weight).add_(x.sum()) @ layer.weight,
    "several results": lambda _, x: x.sort(1).values - x.topk(2, 1).indices.sum(),
    "chunks": lambda _, x: torch.cat([part * 2 for part in x.chunk(2)] + list(x.split(1))),
    "weights alone": lambda layer, x: x @ (layer.weight @ layer.weight).add_(layer.shift),
    "a number of the weights": lambda layer, x: x * float(layer.shift[0]) + layer.weight.sum().item(),
    "another dtype": lambda _, x: (x.double() + 1).float().to(torch.float32),
    "a shape that is a copy": lambda _, x: x.t().reshape(-1) + x.t().contiguous().view(-1),
    "a condition": lambda layer, x: torch.where(x > 0, x, layer.weight[:1]),
    "ids": lambda layer, x: nn.functional.embedding((x > 0).long().argmax(1), layer.weight),
}


@pytest.mark.parametrize("name", REPEATABLE)
def test_a_recording_gives_the_same_bits_for_other_inputs(name: str) -> None:
    torch.manual_seed(0)
    layer = Layer(REPEATABLE[name])
    forward = record(layer)
    assert forward.num_recorded == 1
    calls = layer.num_calls
    inputs = [torch.randn(4, 3) for _ in range(3)]
    results = [forward(each) for each in inputs]
    assert layer.num_calls == calls  # the layer itself is not called any more
    assert all(torch.equal(result, layer(each)) for result, each in zip(results, inputs, strict=True))


UNREPEATABLE = {
    "a value that chooses the operation": lambda _, x: x if x.sum() > 0 else -x,
    "a number": lambda _, x: x * x.sum().item(),
    "a list": lambda layer, x: torch.cat([x[: int(sum(x[:, 0].sign().tolist())) + 9], layer.weight]),
    "an array": lambda _, x: x + torch.from_numpy(x.numpy() * 2),
    "random numbers": lambda _, x: x + torch.rand(3),
    "dropout": lambda _, x: nn.functional.dropout(x, 0.5),
    "a shape by values": lambda _, x: torch.cat([x[x[:, 0] > 0], x])[:4],
    "weights that an input changes": lambda layer, x: x @ (layer.weight * 2).add_(x.sum()),
    "a buffer that changes": lambda layer, x: layer.shift.add_(x.sum(0)) + x,
}


@pytest.mark.parametrize("name", UNREPEATABLE)
def test_what_cannot_be_repeated_runs_as_it_is(name: str) -> None:
    layer = Layer(UNREPEATABLE[name])
    forward = record(layer)
    calls = layer.num_calls
    assert forward.num_recorded == 0
    forward(torch.randn(4, 3))
    assert layer.num_calls == calls + 1


def test_what_reads_weights_alone_is_computed_once() -> None:
    forward = record(Layer(REPEATABLE["weights alone"]))
    (recording,) = forward._recordings.values()
    assert recording is not None
    assert len(recording.repeats) == 1  # the product with x


def test_hooks_are_called() -> None:
    layer = Layer(REPEATABLE["an operation"])
    forward, seen = record(layer), []
    handle = layer.register_forward_hook(lambda *given: seen.append(given))
    forward(torch.randn(4, 3))
    assert len(seen) == 1
    handle.remove()
    forward(torch.randn(4, 3))
    assert len(seen) == 1


def test_a_result_is_kept_when_the_next_one_comes() -> None:
    forward = record(Layer(REPEATABLE["an operation"]))
    first = forward(torch.ones(4, 3))
    forward(torch.zeros(4, 3))
    assert torch.equal(first, torch.ones(4, 3))


def test_shapes_and_types_have_recordings_of_their_own_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_forward, "_MOST_SHAPES", 3)
    layer = Layer(REPEATABLE["an operation"])
    forward = RecordedForward(layer, layer)
    inputs = [torch.ones(1, 3), torch.ones(2, 3), torch.ones(1, 3).double(), torch.ones(9, 3)]
    for _ in range(3):  # by turns, as requests come
        for each in inputs:
            assert torch.equal(forward(each), each)
    assert forward.num_recorded == 3
    calls = layer.num_calls
    for each in inputs:
        forward(each)
    assert layer.num_calls == calls + 1


def test_recordings_keep_to_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_forward, "_MOST_BYTES", 1)
    layer = Layer(REPEATABLE["weights alone"])
    forward = RecordedForward(layer, layer)
    for rows in (1, 2, 1, 2, 1, 2):
        forward(torch.ones(rows, 3))
    assert forward.num_recorded == 1
    (recording,) = forward._recordings.values()
    assert recording is not None
    assert recording.num_bytes == 4 * (3 + 3 * 3 + 3)  # a row, the product of the weights, a row of the result


def test_while_one_thread_repeats_another_runs_as_it_is() -> None:
    layer = Layer(REPEATABLE["an operation"])
    forward = record(layer)
    results: list[Tensor] = []
    with forward._lock:
        thread = threading.Thread(target=lambda: results.append(forward(torch.full((4, 3), 2.0))))
        thread.start()
        thread.join()
    assert torch.equal(results[0], torch.full((4, 3), 2.0))


SEQUENCE_SCHEMA = FeatureSchema(
    (
        CategoricalFeature("site", 5),
        NumericFeature("price"),
        CategoricalFeature("user", 9),
        NumericFeature("age", num_edges=4),
        SequenceFeature("past", 5, max_length=3, shares="site"),
    )
)


def examples(schema: FeatureSchema, count: int, seed: int) -> Batch:
    draws = torch.Generator().manual_seed(seed)
    ids = torch.stack([torch.randint(most, (count,), generator=draws) for most in (5, 9)], dim=1).int()
    past = torch.randint(5, (count, 3), generator=draws).int() if schema.sequence else None
    numbers = 4 * torch.rand(count, 2, generator=draws)
    return Batch(categorical=ids, numeric=numbers, labels=None, group=None, sequence=past)


ROUTED = {"rankmixer_paper-experts", "rankmixer_paper-one_router", "tokenmixer_large-experts"}
"""Models whose examples go to experts by their values, so that the shapes of the operations depend on them."""


@pytest.mark.parametrize("schema", [SCHEMA, SEQUENCE_SCHEMA], ids=["", "sequence"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_model_is_recorded_and_gives_the_same_bits(name: str, schema: FeatureSchema) -> None:
    torch.manual_seed(0)
    ranker = build_ranker(small(name), schema).eval()
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    fixed, plain = (Scorer(ranker, ExecutionSettings(), batch_size=8192, is_fixed=each) for each in (True, False))
    for count in (1, 5, 64):
        for seed in range(4):
            batch = examples(schema, count, seed)
            assert np.array_equal(fixed.logits(batch), plain.logits(batch))
    assert fixed._recorded is not None
    assert name in ROUTED or fixed._recorded.num_recorded == 3
    fixed.close()
    plain.close()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_helper_changes_no_bit_of_any_model_for_any_number_of_rows(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr(scoring, "TINY_WORK", 1)
    monkeypatch.setattr(crew, "_FEWEST_ROWS", 4)
    torch.set_num_threads(2)
    torch.manual_seed(0)
    ranker = build_ranker(small(name), SEQUENCE_SCHEMA).eval()
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    helped, plain = (Scorer(ranker, ExecutionSettings(), batch_size=8192, is_fixed=each) for each in (True, False))
    for count in (2, 3, 4, 5, 6, 7, 16, 33, 64):
        for seed in range(3):
            batch = examples(SEQUENCE_SCHEMA, count, seed)
            assert np.array_equal(helped.logits(batch), plain.logits(batch)), count
    helped.close()
    plain.close()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("sharing", SHARINGS)
def test_models_of_several_tasks_are_recorded_in_any_precision(sharing: str, precision: str) -> None:
    torch.manual_seed(0)
    ranker = build_ranker(small("rankelastor", tasks=SHARINGS[sharing]), TASKS).eval()
    settings = ExecutionSettings(precision=precision)
    fixed, plain = (Scorer(ranker, settings, batch_size=8192, is_fixed=each) for each in (True, False))
    for seed in range(4):
        batch = examples(SCHEMA, 5, seed)
        assert np.array_equal(fixed.logits(batch), plain.logits(batch))
    assert fixed._recorded is not None
    assert fixed._recorded.num_recorded == 1


def test_a_recording_does_not_load_the_compiler() -> None:
    program = """
import sys
import torch
from rankelastor.execution.recorded_forward import RecordedForward
layer = torch.nn.Linear(2, 2).requires_grad_(False)
forward = RecordedForward(layer, layer)
for _ in range(3):
    forward(torch.ones(1, 2))
assert forward.num_recorded == 1
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)

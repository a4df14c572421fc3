"""A recorded slice has the loss and the gradients of the plain one, bit for bit, whatever changes between steps."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from tests.execution.test_recorded_forward import SEQUENCE_SCHEMA, examples
from tests.models.every_model import VARIANTS, small
from tests.models.test_build import SCHEMA
from tests.models.test_tasks import SHARINGS, TASKS
from torch import Tensor, nn

from rankelastor.execution import recorded_gradients
from rankelastor.execution.compiling import CompiledNetwork
from rankelastor.execution.cores import compute_threads
from rankelastor.execution.lowering import Lowering
from rankelastor.execution.phases import ignore_phase
from rankelastor.execution.recorded_gradients import RecordedGradients
from rankelastor.execution.slices import BatchGradient, SlicedGradients
from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.norm import RMSNorm
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.schema import Batch, FeatureSchema

COUNT, SLICE = 28, 8  # three slices of 8 and one of 4

KEPT = {
    "rankelastor-rotation": "statistics of the tokens",
    "mlp-batch_norm": "statistics of batches",
    "finalnet": "statistics of batches",
    "rankmixer_paper-experts": "a penalty that is steered",
    "rankmixer_paper-one_router": "a penalty that is steered",
    "tokenmixer_large-experts": "examples go to experts by their values",
}
"""Models that are not recorded, and why."""


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with compute_threads(2) as pool:
        yield pool


def ranker_of(name: str, schema: FeatureSchema, **changes: Any) -> Ranker:
    """Make a small ranker with dropout wherever it has a layer of it."""
    torch.manual_seed(0)
    ranker = build_ranker(small(name, **changes), schema).train()
    nn.init.normal_(ranker.embedding.table[1:].data)
    for layer in ranker.modules():
        if isinstance(layer, Dropout):
            layer.p = 0.3
    return ranker


def gradients_of(ranker: Ranker, threads: Executor, *, records: bool = True, **given: Any) -> SlicedGradients:
    values: dict[str, Any] = {
        "loss": BinaryCrossEntropy(parts_learn_from=ranker.parts_learn_from, part_weight=ranker.part_weight),
        "networks": [Lowering(ranker.network) for _ in range(2)],
        "slice_examples": SLICE,
        "generator": torch.Generator().manual_seed(5),
    }
    parameters = [value for name, value in ranker.named_parameters() if name != "embedding.table"]
    return SlicedGradients(ranker, parameters, threads=threads, records=records, **{**values, **given})


def batch_of(schema: FeatureSchema, seed: int, count: int = COUNT) -> Batch:
    labels = torch.randint(2, (count, len(schema.tasks)), generator=torch.Generator().manual_seed(seed)).float()
    return replace(examples(schema, count, seed), labels=labels)


def num_recorded(gradients: SlicedGradients) -> list[int]:
    return [each.num_recorded for each in gradients._recorded.values()]


def tensors_of(result: BatchGradient) -> list[Tensor]:
    found = [] if result.found is None else [result.found]
    return [result.loss, *(each for each in result.parameters if each is not None), result.rows, *found]


def step(ranker: Ranker, both: tuple[SlicedGradients, SlicedGradients], batch: Batch) -> None:
    """Compute a batch by both, assert that they agree, and change all parameters."""
    rows = ranker.embedding.rows_of(batch)
    before = {name: value.clone() for name, value in ranker.state_dict().items()}
    ours = [each.clone() for each in tensors_of(both[0](batch, rows))]
    after = {name: value.clone() for name, value in ranker.state_dict().items()}
    ranker.load_state_dict(before)
    plain = tensors_of(both[1](batch, rows))
    assert all(torch.equal(*pair) for pair in zip(ours, plain, strict=True))
    assert all(torch.equal(value, after[name]) for name, value in ranker.state_dict().items())
    with torch.no_grad():
        for parameter in ranker.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
        ranker.embedding.table[0].zero_()


@pytest.mark.parametrize("schema", [SCHEMA, SEQUENCE_SCHEMA], ids=["", "sequence"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_model_has_the_same_gradients_in_two_threads(name: str, schema: FeatureSchema, threads: Executor) -> None:
    ranker = ranker_of(name, schema)
    recorded, plain = (gradients_of(ranker, threads, records=each) for each in (True, False))
    for seed in range(5):
        step(ranker, (recorded, plain), batch_of(schema, seed))
    assert num_recorded(recorded) == ([0, 0] if name in KEPT else [1, 2])
    assert num_recorded(plain) == []


def test_models_without_kernels_have_them_too(threads: Executor, without_kernels: None) -> None:
    del without_kernels
    ranker = ranker_of("rankelastor", SEQUENCE_SCHEMA)
    recorded, plain = (gradients_of(ranker, threads, records=each) for each in (True, False))
    for seed in range(5):
        step(ranker, (recorded, plain), batch_of(SEQUENCE_SCHEMA, seed))
    assert num_recorded(recorded) == [1, 2]


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("sharing", SHARINGS)
def test_several_tasks_have_them_in_any_precision_and_weighted(
    sharing: str, precision: torch.dtype, threads: Executor
) -> None:
    ranker = ranker_of("rankelastor", TASKS, tasks=SHARINGS[sharing])
    loss = BinaryCrossEntropy([2.0] + [1.0] * (len(TASKS.tasks) - 1), positive_weight=2.0)
    networks = [Lowering(ranker.network) for _ in range(1 if precision == torch.bfloat16 else 2)]
    given = {"loss": loss, "precision": precision, "networks": networks}
    recorded, plain = (gradients_of(ranker, threads, records=each, **given) for each in (True, False))
    for seed in range(5):
        batch = batch_of(TASKS, seed)
        weight = torch.rand(COUNT, generator=torch.Generator().manual_seed(seed))  # so that totals differ
        step(ranker, (recorded, plain), replace(batch, weight=weight))
    assert num_recorded(recorded) == ([1, 2] if len(networks) > 1 else [2])


class Steps:
    """Steps of a recorded and of a plain ranker, which are held against each other."""

    def __init__(self, threads: Executor, name: str = "rankelastor", last: nn.Module | None = None) -> None:
        self.ranker = ranker_of(name, SCHEMA)
        if last is not None:
            self.ranker.network = nn.Sequential(self.ranker.network, last)
        self.recorded, self.plain = (
            gradients_of(self.ranker, threads, records=each, slice_examples=None) for each in (True, False)
        )
        self._seeds = iter(range(1000))

    def take(self, count: int, num_examples: int = 16) -> None:
        for _ in range(count):
            step(self.ranker, (self.recorded, self.plain), batch_of(SCHEMA, next(self._seeds), num_examples))

    @property
    def num_recorded(self) -> int:
        return sum(num_recorded(self.recorded))

    def layer(self, kind: type[nn.Module]) -> nn.Module:
        return next(layer for layer in self.ranker.modules() if isinstance(layer, kind))


@pytest.fixture
def steps(threads: Executor) -> Steps:
    return Steps(threads)


def test_a_shape_is_recorded_when_it_comes_for_the_third_time(steps: Steps) -> None:
    steps.take(2)
    assert steps.num_recorded == 0
    steps.take(1)
    assert steps.num_recorded == 1
    steps.take(2, num_examples=5)
    assert steps.num_recorded == 1
    steps.take(1, num_examples=5)
    assert steps.num_recorded == 2


def freeze(steps: Steps) -> None:
    next(steps.ranker.network.parameters()).requires_grad_(False)


def replace_parameter(steps: Steps) -> None:
    norm = next(layer for layer in steps.ranker.network.modules() if isinstance(getattr(layer, "weight", None), Tensor))
    weight = norm.weight
    assert isinstance(weight, Tensor)
    weight.data = weight.data * 2


def replace_layer(steps: Steps) -> None:
    parent, name = next(
        (layer, name)
        for layer in steps.ranker.modules()
        for name, each in layer.named_children()
        if type(each) is nn.Identity
    )
    setattr(parent, name, nn.ReLU())


CHANGES: dict[str, Callable[[Steps], object]] = {
    "a rate of dropout": lambda steps: setattr(steps.layer(Dropout), "p", 0.6),
    "no dropout": lambda steps: setattr(steps.layer(Dropout), "p", 0.0),
    "the mode": lambda steps: steps.ranker.eval(),
    "a frozen parameter": freeze,
    "a frozen table": lambda steps: steps.ranker.embedding.table.requires_grad_(False),
    "a parameter that lies elsewhere": replace_parameter,
    "another layer": replace_layer,
    "an attribute": lambda steps: setattr(steps.layer(RMSNorm), "eps", 0.5),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_between_steps_is_seen_and_recorded_anew(name: str, steps: Steps) -> None:
    steps.take(4)
    CHANGES[name](steps)
    steps.take(1)
    assert steps.num_recorded == 0
    steps.take(3)
    assert steps.num_recorded == 1


def test_hooks_are_called_while_there_are_any_and_the_recording_stays(steps: Steps) -> None:
    steps.take(4)
    seen: list[Tensor] = []
    handle = steps.ranker.points["tokens"].register_forward_hook(lambda *given: seen.append(given[2]))
    steps.take(1)
    assert len(seen) == 2  # of both
    handle.remove()
    steps.take(2)
    assert (len(seen), steps.num_recorded) == (2, 1)


def test_hooks_on_gradients_are_called(steps: Steps) -> None:
    steps.take(4)
    seen: list[Tensor] = []
    handle = next(steps.ranker.network.parameters()).register_hook(seen.append)
    steps.take(5)
    assert (len(seen), steps.num_recorded) == (10, 0)
    handle.remove()
    steps.take(3)
    assert (len(seen), steps.num_recorded) == (10, 1)


def test_another_number_of_cores_has_a_recording_of_its_own(threads: Executor) -> None:
    del threads
    with compute_threads(1) as pool:
        steps = Steps(pool)
        steps.take(3)
        torch.set_num_threads(1 + torch.get_num_threads() % 2)
        steps.take(2)
        assert steps.num_recorded == 1
        steps.take(1)
        assert steps.num_recorded == 2


@pytest.mark.parametrize(
    "context", [torch.autograd.detect_anomaly, partial(torch.autocast, "cpu")], ids=["anomaly", "autocast"]
)
def test_within_a_context_that_changes_operations_they_run_as_they_are(context: Callable[[], Any]) -> None:
    with compute_threads(1) as pool:
        steps = Steps(pool)
        with warnings.catch_warnings(action="ignore"), context():
            steps.take(4)
        assert steps.num_recorded == 0


class Foreign(nn.Module):
    """A layer that nobody but its author knows: it counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.num_calls = [0]

    def forward(self, logits: Tensor) -> Tensor:
        self.num_calls[0] += 1
        return logits


def test_layers_that_others_define_run_as_they_are(threads: Executor) -> None:
    foreign = Foreign()
    steps = Steps(threads, last=foreign)
    before = foreign.num_calls[0]
    steps.take(5)
    assert steps.num_recorded == 0
    assert foreign.num_calls[0] >= before + 10


class Sum:
    """A loss that says nothing about itself."""

    def total(self, batch: Batch) -> float:
        return float(batch.num_examples)

    def __call__(self, logits: Tensor, _batch: Batch, *, total: float) -> Tensor:
        return logits.sum() / total


def never(_phase: str) -> None:
    pass


@pytest.mark.parametrize(
    "given", [{"loss": Sum()}, {"on_phase": never}, {"records": False}, {"precision": torch.bfloat16}], ids=", ".join
)
def test_it_is_not_recorded_where_something_may_differ_or_listen(given: dict[str, Any], threads: Executor) -> None:
    assert gradients_of(ranker_of("rankelastor", SCHEMA), threads, **given)._recorded == {}


def test_it_is_recorded_by_default_and_compiled_networks_are_not(threads: Executor) -> None:
    ranker = ranker_of("rankelastor", SCHEMA)
    assert len(gradients_of(ranker, threads, on_phase=ignore_phase)._recorded) == 2
    compiled = CompiledNetwork(ranker.network, lambda network: network)
    assert gradients_of(ranker, threads, networks=[compiled])._recorded == {}


def test_large_slices_run_as_they_are(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rankelastor.execution.slices.MOST_WORK", 10 * steps.ranker.num_dense_parameters)
    steps.take(4, num_examples=16)
    assert steps.num_recorded == 0
    steps.take(4, num_examples=10)
    assert steps.num_recorded == 1


def test_recordings_keep_to_their_memory_and_number(threads: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(threads)
    steps.take(3)
    most_bytes = next(iter(steps.recorded._recorded.values()))._num_bytes
    monkeypatch.setattr("rankelastor.execution.slices.MOST_BYTES", 2 * (most_bytes + 1))  # one half for each thread
    steps = Steps(threads)
    for num_examples in (17, 5, 16):
        steps.take(4, num_examples=num_examples)
    assert steps.num_recorded == 1  # of 5
    monkeypatch.undo()
    monkeypatch.setattr(recorded_gradients, "_MOST_SHAPES", 2)
    steps = Steps(threads)
    for num_examples in (16, 5, 9):
        steps.take(4, num_examples=num_examples)
    assert steps.num_recorded == 2


def test_bytes_are_counted_and_freed_with_the_recordings(steps: Steps) -> None:
    steps.take(3)
    recorded = next(iter(steps.recorded._recorded.values()))
    (recording,) = recorded._recordings.values()
    assert recorded._num_bytes == recording.num_bytes > 0
    steps.ranker.eval()
    steps.take(1)
    assert recorded._num_bytes == 0


def test_the_reason_is_said_to_those_who_ask(threads: Executor, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger=recorded_gradients.__name__):
        Steps(threads, "mlp-batch_norm").take(4)
    (said,) = [record.getMessage() for record in caplog.records]
    assert (
        said
        == "slices of training run without a recording: aten.add_.Tensor changes what lies outside of the recording"
    )


def test_values_that_do_not_lie_side_by_side_are_not_recorded(threads: Executor) -> None:
    ranker = ranker_of("rankelastor", SCHEMA)
    both = tuple(gradients_of(ranker, threads, records=each, slice_examples=None) for each in (True, False))
    for seed in range(5):
        batch = batch_of(SCHEMA, seed)
        batch = replace(batch, numeric=batch.numeric.repeat(1, 2)[:, : batch.numeric.shape[1]])
        step(ranker, both, batch)  # type: ignore[arg-type]
    assert num_recorded(both[0]) == [0, 0]


def test_results_of_a_slice_say_whether_they_are_lent(threads: Executor) -> None:
    ranker = ranker_of("mlp", SCHEMA)
    plain = gradients_of(ranker, threads)
    network = Lowering(ranker.network)
    recorded = RecordedGradients(plain._gradients, ranker)
    restarts: list[int] = []
    batch = batch_of(SCHEMA, 0)
    found = ranker.embedding.look_up(ranker.embedding.rows_of(batch)).detach()

    def restart() -> None:
        restarts.append(len(restarts))
        network.random_bytes.restart(1)

    lent = [recorded(network.current(), found, batch, 28.0, restart=restart) for _ in range(4)]
    assert [is_lent for _, is_lent in lent] == [False, False, True, True]
    assert lent[2][0][0] is lent[3][0][0]
    assert restarts == [0, 1, 2, 3]
    assert all(torch.equal(*pair) for pair in zip(lent[0][0], lent[3][0], strict=True))

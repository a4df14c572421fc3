"""Slices of a batch give the batch's gradient, the same on any number of threads, with kernels and without."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

import pytest
import torch
from tests.training.test_step import batch, fresh_ranker
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from rankelastor.execution import slices
from rankelastor.execution.cores import compute_threads
from rankelastor.execution.lowering import Lowering
from rankelastor.execution.slices import BatchGradient, SlicedGradients, bytes_per_example, couples_examples
from rankelastor.models.ranker import Ranker
from rankelastor.nn.dropout import Dropout
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.schema import Batch


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with compute_threads(2) as pool:
        yield pool


def with_dropout() -> Ranker:
    ranker = fresh_ranker().train()
    for layer in ranker.modules():
        if isinstance(layer, Dropout):
            layer.p = 0.3
    return ranker


class Operations(TorchDispatchMode):
    """Names of the operations that this thread calls within the context."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(self, operation: Any, types: object, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(operation._opname)
        return operation(*args, **(kwargs or {}))


def sliced_gradients(
    ranker: Ranker, threads: Executor, *, slice_examples: int | None, num_threads: int = 2
) -> SlicedGradients:
    parameters = [value for name, value in ranker.named_parameters() if name != "embedding.table"]
    return SlicedGradients(
        ranker,
        parameters,
        loss=BinaryCrossEntropy(),
        threads=threads,
        networks=[Lowering(ranker.network) for _ in range(num_threads)],
        slice_examples=slice_examples,
    )


def gradient(
    ranker: Ranker, threads: Executor, *, slice_examples: int | None, num_threads: int = 2, num_examples: int = 50
) -> BatchGradient:
    sliced = sliced_gradients(ranker, threads, slice_examples=slice_examples, num_threads=num_threads)
    torch.manual_seed(4)
    examples = batch(0, num_examples)
    return sliced(examples, ranker.embedding.rows_of(examples))


def tensors_of(result: BatchGradient) -> list[Tensor]:
    assert result.found is not None
    return [result.loss, *(each for each in result.parameters if each is not None), result.rows, result.found]


def require_equal(one: BatchGradient, other: BatchGradient) -> None:
    assert all(torch.equal(*pair) for pair in zip(tensors_of(one), tensors_of(other), strict=True))


def require_close(one: BatchGradient, other: BatchGradient) -> None:
    for mine, theirs in zip(tensors_of(one), tensors_of(other), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def naive_gradient(ranker: Ranker, examples: Batch) -> tuple[Tensor, list[Tensor]]:
    assert examples.labels is not None
    loss = nn.functional.binary_cross_entropy_with_logits(ranker(examples), examples.labels)
    parameters = [value for name, value in ranker.named_parameters() if name != "embedding.table"]
    return loss, list(torch.autograd.grad(loss, [*parameters, ranker.embedding.table]))


def test_the_gradient_is_that_of_the_plain_ranker(threads: Executor) -> None:
    ranker = fresh_ranker().eval()
    result = gradient(ranker, threads, slice_examples=7)
    loss, (*expected, of_table) = naive_gradient(ranker, batch(0, 50))
    torch.testing.assert_close(result.loss, loss.detach())
    for mine, theirs in zip(result.parameters, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
    assert result.found is not None
    summed = torch.zeros_like(of_table).index_add_(0, result.rows, result.found)
    summed[0] = 0
    torch.testing.assert_close(summed, of_table, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("_with_and_without_kernels")
@pytest.mark.parametrize("slice_examples", [1, 7, 25, 49])
def test_slices_add_up_to_the_whole_batch(threads: Executor, slice_examples: int) -> None:
    ranker = fresh_ranker().eval()  # no dropout: slices draw masks of their own
    whole, sliced = (gradient(ranker, threads, slice_examples=size) for size in (50, slice_examples))
    assert sliced.loss.item() == pytest.approx(whole.loss.item(), rel=1e-5)
    require_close(sliced, whole)


@pytest.mark.usefixtures("_with_and_without_kernels")
def test_the_same_seed_gives_the_same_bits_whatever_thread_is_first(
    threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranker = with_dropout()
    runs = [gradient(ranker, threads, slice_examples=5) for _ in range(3)]
    plain = SlicedGradients._sum_slices

    def late(self: SlicedGradients, share: list[slices._Slice], *given: object) -> object:
        time.sleep(0.05 if share[0][0] == 0 else 0)  # whoever has the first slice begins last
        return plain(self, share, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(SlicedGradients, "_sum_slices", late)
    runs.append(gradient(ranker, threads, slice_examples=5))
    for run in runs[1:]:
        require_equal(run, runs[0])


@pytest.mark.usefixtures("_with_and_without_kernels")
def test_the_calling_thread_joins_nothing_after_which_all_of_its_cores_would_spin(threads: Executor) -> None:
    with Operations() as of_this_thread:
        gradient(fresh_ranker(), threads, slice_examples=7)
    assert "split" in of_this_thread.names
    assert "cat" not in of_this_thread.names


def test_masks_do_not_depend_on_the_number_of_threads(threads: Executor) -> None:
    ranker = with_dropout()
    one, two = (gradient(ranker, threads, slice_examples=7, num_threads=count) for count in (1, 2))
    require_close(one, two)


@pytest.mark.usefixtures("needs_kernels")
def test_masks_do_not_depend_on_kernels(threads: Executor, request: pytest.FixtureRequest) -> None:
    ranker = with_dropout()
    fast = gradient(ranker, threads, slice_examples=7)
    request.getfixturevalue("without_kernels")
    require_close(gradient(ranker, threads, slice_examples=7), fast)


def test_masks_differ_from_slice_to_slice_and_from_batch_to_batch(threads: Executor) -> None:
    ranker = with_dropout()
    sliced = sliced_gradients(ranker, threads, slice_examples=25)
    once = batch(0, 25)
    twice = Batch(
        categorical=once.categorical.repeat(2, 1),
        numeric=once.numeric.repeat(2, 1),
        labels=None if once.labels is None else once.labels.repeat(2, 1),
        group=None,
    )
    rows = ranker.embedding.rows_of(twice)
    first, second = (sliced(twice, rows) for _ in range(2))
    assert first.found is not None
    assert not torch.allclose(first.found[:25], first.found[25:])
    assert not torch.equal(first.loss, second.loss)


@pytest.mark.usefixtures("_with_and_without_kernels")
def test_hooks_see_the_batch_in_order_and_change_nothing(threads: Executor) -> None:
    ranker = with_dropout()
    alone = gradient(ranker, threads, slice_examples=9)
    seen: list[Tensor] = []
    handle = ranker.points["tokens"].register_forward_hook(lambda _module, _inputs, tokens: seen.append(tokens))
    watched = gradient(ranker, threads, slice_examples=9)
    handle.remove()
    assert [len(tokens) for tokens in seen] == [9, 9, 9, 9, 9, 5]
    require_equal(watched, alone)


def test_hooks_of_the_backward_pass_and_a_forward_of_ones_own_draw_the_same_masks(threads: Executor) -> None:
    ranker = with_dropout()
    alone = gradient(ranker, threads, slice_examples=9)
    handle = ranker.points["tokens"].register_full_backward_hook(lambda *_: None)
    require_close(gradient(ranker, threads, slice_examples=9), alone)
    handle.remove()
    block = ranker.points["block0.pffn"]
    block.forward = block.forward
    require_close(gradient(ranker, threads, slice_examples=9), alone)


def test_frozen_parameters_and_a_frozen_table_have_no_gradient(threads: Executor) -> None:
    ranker = fresh_ranker().eval()
    whole = gradient(ranker, threads, slice_examples=9)
    first = next(value for name, value in ranker.named_parameters() if name != "embedding.table")
    first.requires_grad_(False)
    ranker.embedding.table.requires_grad_(False)
    frozen = gradient(ranker, threads, slice_examples=9)
    assert frozen.found is None
    assert frozen.parameters[0] is None
    for mine, theirs in zip(frozen.parameters[1:], whole.parameters[1:], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("slice_examples", [None, 9])
def test_a_batch_whose_examples_are_coupled_is_one_slice(threads: Executor, slice_examples: int | None) -> None:
    def with_batch_norm() -> tuple[Ranker, nn.BatchNorm1d]:
        ranker = fresh_ranker()
        norm = nn.BatchNorm1d(1)
        ranker.network = nn.Sequential(ranker.network, norm)
        return ranker.train(), norm

    (plain, expected), (ranker, norm) = with_batch_norm(), with_batch_norm()
    plain(batch(0, 50))
    gradient(ranker, threads, slice_examples=slice_examples)
    assert norm.num_batches_tracked == 1
    torch.testing.assert_close(norm.running_mean, expected.running_mean)
    torch.testing.assert_close(norm.running_var, expected.running_var)


def test_a_layer_may_say_that_it_couples_examples() -> None:
    layer = nn.Linear(2, 2)
    assert not couples_examples(layer)
    layer.couples_examples = True  # type: ignore[assignment]
    assert couples_examples(layer)


def test_a_slice_is_never_more_than_a_threads_share(threads: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "BUSY_WORK", 1)
    sliced = sliced_gradients(fresh_ranker(), threads, slice_examples=None)
    assert sliced.slice_examples(batch(0, 51)) == 26


@pytest.mark.parametrize("busy", [True, False])
def test_slices_are_the_same_with_kernels_and_without_on_one_thread_and_on_two(
    busy: bool, threads: Executor, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(slices, "BUSY_WORK", 1 if busy else 10**12)
    monkeypatch.setattr(slices, "SLICE_BYTES", 10_000)

    def sizes() -> set[int]:
        counts = (1, 2)
        made = [sliced_gradients(with_dropout(), threads, slice_examples=None, num_threads=count) for count in counts]
        return {each.slice_examples(batch(0, 333)) for each in made}

    (size,) = with_kernels = sizes()
    assert 0 < size < 333
    request.getfixturevalue("without_kernels")
    assert sizes() == with_kernels


def test_the_memory_estimate_grows_with_the_model_and_leaves_no_trace() -> None:
    ranker = with_dropout()
    seen: list[Tensor] = []
    ranker.points["tokens"].register_forward_hook(lambda *given: seen.append(given[2]))
    state = torch.get_rng_state()
    estimate = bytes_per_example(ranker, batch(0))
    assert seen == []
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in ranker.parameters())
    widths = sum(parameter.shape[-1] for parameter in ranker.network.parameters())
    assert 4 < estimate < 4 * 20 * widths

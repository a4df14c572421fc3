"""Slices of a batch give the batch's gradient."""

from collections.abc import Iterator
from concurrent.futures import Executor

import pytest
import torch
from tests.training.test_step import batch, fresh_ranker

from rankelastor.execution.cores import compute_threads
from rankelastor.execution.slices import BatchGradient, SlicedGradients
from rankelastor.models.ranker import Ranker


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with compute_threads(2) as pool:
        yield pool


def gradient(ranker: Ranker, threads: Executor, *, slice_examples: int | None, num_examples: int = 50) -> BatchGradient:
    parameters = [value for name, value in ranker.named_parameters() if name != "embedding.table"]
    sliced = SlicedGradients(ranker, parameters, threads=threads, num_threads=2, slice_examples=slice_examples)
    torch.manual_seed(4)
    return sliced(batch(0, num_examples))


@pytest.mark.parametrize("slice_examples", [1, 7, 25, 49])
def test_slices_add_up_to_the_whole_batch(threads: Executor, slice_examples: int) -> None:
    ranker = fresh_ranker().eval()  # no dropout: slices draw masks of their own
    whole, sliced = (gradient(ranker, threads, slice_examples=size) for size in (50, slice_examples))
    assert sliced.loss.item() == pytest.approx(whole.loss.item(), rel=1e-5)
    for one, other in zip(sliced.parameters, whole.parameters, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)
    for (rows, found), (other_rows, other_found) in zip(sliced.lookups, whole.lookups, strict=True):
        assert torch.equal(rows, other_rows)
        assert torch.allclose(found, other_found, rtol=1e-4, atol=1e-6)


def test_the_same_seed_gives_the_same_bits_whatever_thread_is_first(threads: Executor) -> None:
    ranker = fresh_ranker().train()
    runs = [gradient(ranker, threads, slice_examples=5) for _ in range(5)]
    for run in runs[1:]:
        assert all(torch.equal(one, other) for one, other in zip(run.parameters, runs[0].parameters, strict=True))


def test_hooks_see_the_batch_in_order_and_change_nothing(threads: Executor) -> None:
    ranker = fresh_ranker().train()
    alone = gradient(ranker, threads, slice_examples=9)
    seen: list[torch.Tensor] = []
    handle = ranker.points["tokens"].register_forward_hook(lambda _module, _inputs, tokens: seen.append(tokens))
    watched = gradient(ranker, threads, slice_examples=9)
    handle.remove()
    assert [len(tokens) for tokens in seen] == [9, 9, 9, 9, 9, 5]
    assert all(torch.equal(one, other) for one, other in zip(watched.parameters, alone.parameters, strict=True))


def test_a_slice_is_never_more_than_a_threads_share(threads: Executor) -> None:
    ranker = fresh_ranker()
    sliced = SlicedGradients(ranker, [], threads=threads, num_threads=2)
    assert sliced.slice_examples(batch(0, 51)) == 26

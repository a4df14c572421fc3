"""Target attention in kernels: running statistics of Dice, padding that is skipped, and units that it leaves alone."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from rankelastor.execution.lowering import Lowering
from rankelastor.nn.batch_norm import BatchNorm
from rankelastor.nn.dice import Dice
from rankelastor.nn.embedding.embedded import EmbeddedSequence
from rankelastor.nn.sequence.encoder import SequenceEncoder
from rankelastor.nn.sequence.target_attention import TargetAttention

DIM, POSITIONS = 4, 9
pytestmark = pytest.mark.usefixtures("needs_kernels")


def drawn(layer: TargetAttention) -> TargetAttention:
    torch.manual_seed(1)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


def examples(batch: int) -> tuple[Tensor, Tensor, Tensor]:
    """Histories padded on the left with zeros, one of them without elements."""
    generator = torch.Generator().manual_seed(2)
    elements, target = (
        torch.randn(batch, POSITIONS, DIM, generator=generator),
        torch.randn(batch, DIM, generator=generator),
    )
    mask = torch.arange(POSITIONS) >= torch.arange(batch).unsqueeze(1) % (POSITIONS + 1)
    return elements * mask.unsqueeze(2), mask, target


def norm_of(layer: TargetAttention) -> BatchNorm:
    active = layer.unit[1]
    assert isinstance(active, Dice)
    return active.norm


@pytest.mark.parametrize("threads", [1, 3])
def test_running_statistics_of_dice_follow_all_positions_of_each_batch(threads: int) -> None:
    torch.set_num_threads(threads)
    plain = drawn(TargetAttention(embedding_dim=DIM, hidden_dims=[17]))
    lowered = copy.deepcopy(plain)
    compute = Lowering(lowered).current()
    for batch in (200, 50):
        plain(*examples(batch))
        compute(*examples(batch))
    assert norm_of(lowered).num_batches_tracked == norm_of(plain).num_batches_tracked == 2
    torch.testing.assert_close(norm_of(lowered).running_mean, norm_of(plain).running_mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(norm_of(lowered).running_var, norm_of(plain).running_var, rtol=1e-5, atol=1e-6)


def test_statistics_far_from_zero_keep_their_digits() -> None:
    layer = drawn(TargetAttention(embedding_dim=DIM, hidden_dims=[8]))
    with torch.no_grad():
        layer.unit[0].bias.fill_(1000.0)  # type: ignore[operator]
    exact = copy.deepcopy(layer).double()
    elements, mask, target = examples(100)
    Lowering(layer).current()(elements, mask, target)
    exact(elements.double(), mask, target.double())
    found, expected = norm_of(layer).running_var, norm_of(exact).running_var
    assert found is not None
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=0)


def test_scoring_does_not_change_the_running_statistics() -> None:
    layer = drawn(TargetAttention(embedding_dim=DIM, hidden_dims=[8])).eval()
    before = copy.deepcopy(norm_of(layer).state_dict())
    Lowering(layer).current()(*examples(20))
    assert all(torch.equal(value, before[name]) for name, value in norm_of(layer).state_dict().items())


def test_a_single_row_and_a_batch_of_several_processes_are_left_to_the_layer(called_kernels: list[str]) -> None:
    layer = drawn(TargetAttention(embedding_dim=DIM, hidden_dims=[8]))
    compute = Lowering(layer).current()
    compute(torch.ones(1, 1, DIM), torch.ones(1, 1, dtype=torch.bool), torch.ones(1, DIM))
    norm_of(layer).over_ranks = lambda sums: sums
    compute(*examples(20))
    assert called_kernels == []
    layer.eval()
    compute(*examples(20))
    assert called_kernels == ["attention_forward"]


@pytest.mark.parametrize("hidden_dims", [[], [8, 8]])
def test_a_unit_without_a_hidden_layer_or_with_two_is_left_as_it_is(
    hidden_dims: list[int], called_kernels: list[str]
) -> None:
    layer = drawn(TargetAttention(embedding_dim=DIM, hidden_dims=hidden_dims))
    expected = layer.eval()(*examples(20))
    assert torch.equal(Lowering(layer).current()(*examples(20)), expected)
    assert called_kernels == []


@pytest.mark.parametrize("softmax", [False, True])
def test_a_history_without_elements_has_no_weight_and_no_gradient(*, softmax: bool) -> None:
    layer = drawn(TargetAttention(embedding_dim=DIM, hidden_dims=[8], activation="prelu", softmax=softmax))
    elements, _, target = examples(20)
    elements.requires_grad_()
    found = Lowering(layer).current()(elements, torch.zeros(20, POSITIONS, dtype=torch.bool), target)
    (gradient,) = torch.autograd.grad(found.sum(), elements)
    assert found.eq(0).all()
    assert gradient.eq(0).all()


def test_inside_an_encoder_of_the_newest_elements_it_is_the_plain_layer() -> None:
    encoder = SequenceEncoder(
        drawn(TargetAttention(embedding_dim=DIM, hidden_dims=[8])), embedding_dim=DIM, max_length=5, positions=True
    )
    elements, mask, target = examples(40)
    sequence = EmbeddedSequence(elements, mask)
    results = []
    for compute in (encoder, Lowering(encoder).current()):
        out = compute(sequence, target)
        results.append([out, *torch.autograd.grad(out.square().sum(), list(encoder.parameters()))])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)

"""Tests of the loss against its formula by hand, with and without weights."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.schema import Batch


def batch_of(labels: Tensor, weight: Tensor | None = None) -> Batch:
    ids = torch.zeros(len(labels), 1, dtype=torch.int32)
    return Batch(categorical=ids, numeric=torch.zeros(len(labels), 0), labels=labels, group=None, weight=weight)


def loss_of(objective: BinaryCrossEntropy, logits: Tensor, batch: Batch) -> Tensor:
    return objective(logits, batch, total=objective.total(batch))


def drawn(num_examples: int = 7, num_tasks: int = 3) -> tuple[Tensor, Batch]:
    generator = torch.Generator().manual_seed(num_examples)
    logits = torch.randn(num_examples, num_tasks, generator=generator)
    labels = torch.randint(0, 2, (num_examples, num_tasks), generator=generator).float()
    return logits, batch_of(labels, torch.rand(num_examples, generator=generator) + 0.1)


def test_one_task_without_weights_is_the_plain_mean() -> None:
    logits, batch = drawn(num_tasks=1)
    assert batch.labels is not None
    plain = binary_cross_entropy_with_logits(logits, batch.labels)
    assert torch.allclose(loss_of(BinaryCrossEntropy(), logits, replace(batch, weight=None)), plain)


@pytest.mark.parametrize("task_weights", [None, [1.0, 0.5, 3.0]])
def test_the_loss_is_the_mean_by_both_weights(task_weights: list[float] | None) -> None:
    logits, batch = drawn()
    assert batch.labels is not None
    assert batch.weight is not None
    by_hand, total = 0.0, 0.0
    for i, example_weight in enumerate(batch.weight.tolist()):
        for t, task_weight in enumerate(task_weights or [1.0, 1.0, 1.0]):
            probability = torch.sigmoid(logits[i, t]).double()
            clicked = bool(batch.labels[i, t])
            nats = -torch.log(probability if clicked else 1 - probability).item()
            by_hand += example_weight * task_weight * nats
            total += example_weight * task_weight
    loss = loss_of(BinaryCrossEntropy(task_weights), logits, batch)
    assert loss.item() == pytest.approx(by_hand / total, rel=1e-5)


@given(st.integers(1, 9), st.booleans(), st.booleans())
def test_the_losses_of_slices_add_up_to_that_of_the_batch(size: int, weighted: bool, by_task: bool) -> None:
    logits, batch = drawn(9)
    batch = batch if weighted else replace(batch, weight=None)
    objective = BinaryCrossEntropy([0.2, 1.0, 2.0] if by_task else None)
    total = objective.total(batch)
    parts = zip(logits.split(size), batch.split(size), strict=True)
    summed = sum(objective(slice_logits, part, total=total).item() for slice_logits, part in parts)
    assert summed == pytest.approx(loss_of(objective, logits, batch).item(), rel=1e-5)


@pytest.mark.parametrize("task_weights", [None, [1.0, 2.0, 4.0]])
def test_a_weight_of_two_is_the_row_twice_and_a_weight_of_zero_leaves_it_out(task_weights: list[float] | None) -> None:
    logits, batch = drawn(3)
    assert batch.labels is not None
    objective = BinaryCrossEntropy(task_weights)
    logits.requires_grad_()
    weighted = loss_of(objective, logits, replace(batch, weight=torch.tensor([2.0, 0.0, 1.0])))
    repeats = torch.tensor([2, 0, 1])
    repeated = loss_of(
        objective, logits.repeat_interleave(repeats, dim=0), batch_of(batch.labels.repeat_interleave(repeats, dim=0))
    )
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-6)
    ours, theirs = (torch.autograd.grad(loss, logits)[0] for loss in (weighted, repeated))
    assert torch.allclose(ours, theirs, atol=1e-7)
    assert not ours[1].any()


def test_a_task_of_weight_zero_takes_no_part() -> None:
    logits, batch = drawn(num_tasks=2)
    assert batch.labels is not None
    alone = loss_of(BinaryCrossEntropy(), logits[:, :1], replace(batch, labels=batch.labels[:, :1]))
    assert loss_of(BinaryCrossEntropy([3.0, 0.0]), logits, batch).item() == pytest.approx(alone.item(), rel=1e-6)


def test_equal_weights_change_nothing() -> None:
    logits, batch = drawn()
    plain = loss_of(BinaryCrossEntropy(), logits, replace(batch, weight=None))
    weighted = loss_of(BinaryCrossEntropy([0.3, 0.3, 0.3]), logits, replace(batch, weight=torch.full((7,), 5.0)))
    assert weighted.item() == pytest.approx(plain.item(), rel=1e-6)


def test_a_batch_whose_weights_are_all_zero_has_no_loss_and_no_gradient() -> None:
    logits, batch = drawn()
    logits.requires_grad_()
    loss = loss_of(BinaryCrossEntropy(), logits, replace(batch, weight=torch.zeros(7)))
    assert loss.item() == 0
    assert not torch.autograd.grad(loss, logits)[0].any()


@pytest.mark.parametrize("weights", [[-1.0, 1.0], [0.0, 0.0], [float("nan"), 1.0], [float("inf")], []])
def test_task_weights_that_are_no_weights_are_errors(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="must be 0 or more and not all 0"):
        BinaryCrossEntropy(weights)


def test_a_number_of_logits_other_than_that_of_the_labels_is_our_own_mistake() -> None:
    logits, batch = drawn()
    with pytest.raises(AssertionError, match="one logit per task"):
        loss_of(BinaryCrossEntropy(), logits[:, :1], batch)


def test_a_weight_of_positives_multiplies_their_loss_alone() -> None:
    logits, batch = drawn(num_tasks=2)
    assert batch.labels is not None
    assert batch.weight is not None
    each = binary_cross_entropy_with_logits(logits, batch.labels, reduction="none")
    by_hand = (each * torch.where(batch.labels > 0, 3.0, 1.0) * batch.weight.unsqueeze(1)).sum()
    found = loss_of(BinaryCrossEntropy(positive_weight=3.0), logits, batch)
    assert found.item() == pytest.approx((by_hand / (2 * batch.weight.sum())).item(), rel=1e-5)
    both = loss_of(BinaryCrossEntropy([1.0, 1.0], positive_weight=3.0), logits, batch)
    assert both.item() == pytest.approx(found.item(), rel=1e-5)


def test_parts_may_learn_from_the_labels_by_their_weight() -> None:
    labels = torch.tensor([[1.0], [0.0]])
    batch = Batch(torch.ones(2, 1, dtype=torch.int32), torch.zeros(2, 0), labels, group=None)
    logits = torch.tensor([[[0.5, 0.1, -1.0]], [[-0.3, 0.2, 2.0]]])
    objective = BinaryCrossEntropy(parts_learn_from="labels", part_weight=0.1)
    whole, *parts = (binary_cross_entropy_with_logits(part, labels) for part in logits.unbind(2))
    loss = objective(logits, batch, total=objective.total(batch))
    torch.testing.assert_close(loss, whole + 0.1 * sum(parts))


def test_parts_learn_from_the_probability_of_the_whole() -> None:
    labels, whole = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.3], [-0.7]], requires_grad=True)
    parts = [torch.tensor([[0.1], [0.2]], requires_grad=True), torch.tensor([[-1.0], [2.0]], requires_grad=True)]
    batch = Batch(categorical=torch.ones(2, 1, dtype=torch.int32), numeric=torch.zeros(2, 0), labels=labels, group=None)
    objective = BinaryCrossEntropy()
    loss = objective(torch.stack([whole, *parts], dim=2), batch, total=objective.total(batch))
    taught = whole.detach().sigmoid()
    expected = sum(binary_cross_entropy_with_logits(part, taught) for part in parts)
    torch.testing.assert_close(loss, binary_cross_entropy_with_logits(whole, labels) + expected)
    loss.backward()
    alone = whole.detach().sigmoid() - labels  # the parts give the whole no gradient
    torch.testing.assert_close(whole.grad, alone / 2)

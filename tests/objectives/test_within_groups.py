from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.objectives.within_groups import WithinGroups, listwise_loss, pairwise_loss
from rankelastor.schema import Batch

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.floats(-3, 3), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=20
)
Rows = list[tuple[int, float, int, int]]


def columns(rows: Rows) -> list[torch.Tensor]:
    label, logit, weight, group = zip(*rows, strict=True)
    floats = [torch.tensor(column, dtype=torch.float64) for column in (logit, label, weight)]
    return [*floats, torch.tensor(group)]


@given(ROWS)
def test_pairs_are_those_of_two_loops(rows: Rows) -> None:
    total, mass = 0.0, 0.0
    for (y1, z1, w1, g1), (y2, z2, w2, g2) in product(rows, rows):
        if y1 == 1 and y2 == 0 and g1 == g2:
            total += w1 * w2 * math.log1p(math.exp(z2 - z1))
            mass += w1 * w2
    assert pairwise_loss(*columns(rows)).item() == pytest.approx(total / mass if mass else 0.0)


@given(ROWS)
def test_lists_are_those_of_a_loop_over_groups(rows: Rows) -> None:
    losses = []
    for group in {g for _, _, _, g in rows}:
        inside = [(y, z, w) for y, z, w, g in rows if g == group and w]
        if {y for y, _, _ in inside} == {0, 1}:
            total = sum(w * math.exp(z) for _, z, w in inside)
            positives = [(w, -math.log(math.exp(z) / total)) for y, z, w in inside if y]
            losses.append(sum(w * loss for w, loss in positives) / sum(w for w, _ in positives))
    expected = sum(losses) / len(losses) if losses else 0.0
    assert listwise_loss(*columns(rows)).item() == pytest.approx(expected)


def batch(labels: torch.Tensor, group: torch.Tensor) -> Batch:
    ids = torch.ones(len(group), 1, dtype=torch.int32)
    return Batch(categorical=ids, numeric=torch.zeros(len(group), 0), labels=labels, group=group)


def test_the_cross_entropy_is_added_with_its_factor_and_tasks_count_by_their_weights() -> None:
    labels, group = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), torch.tensor([1, 1, 2])
    logits, examples = torch.tensor([[1.0, 2.0], [0.5, 0.0], [3.0, 1.0]]), batch(labels, group)
    cross_entropy = BinaryCrossEntropy([1.0, 3.0])
    objective = WithinGroups(pairwise_loss, cross_entropy, factor=0.5, task_weights=[1.0, 3.0])
    first, second = math.log1p(math.exp(0.5 - 1.0)), math.log1p(math.exp(2.0 - 0.0))
    expected = (first + 3 * second) / 4 + 0.5 * float(cross_entropy(logits, examples, total=3.0))
    assert float(objective(logits, examples, total=objective.total(examples))) == pytest.approx(expected)


@pytest.mark.parametrize("loss", [pairwise_loss, listwise_loss])
def test_groups_of_one_label_give_no_loss_and_a_gradient_of_zero(loss: object) -> None:
    logits = torch.tensor([[1.0], [2.0]], requires_grad=True)
    objective = WithinGroups(loss, BinaryCrossEntropy(), factor=0.0)  # type: ignore[arg-type]
    value = objective(logits, batch(torch.ones(2, 1), torch.tensor([1, 1])), total=2.0)
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()

"""Row-wise Adagrad against loops, and its dense form against the form that knows the rows of a batch."""

import pytest
import torch

from rankelastor.optimisers.rowwise_adagrad import RowwiseAdagrad

LOOKUPS = [[1, 2, 2], [3, 1, 0], [2, 2, 2], [1, 3, 4]]
RATE = 0.3


def gradients() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(6)
    return [torch.randn(3, 2, generator=generator) for _ in LOOKUPS]


def table() -> torch.Tensor:
    values = torch.randn(5, 2, generator=torch.Generator().manual_seed(5))
    values[0] = 0
    return values


def naive(l2: float) -> torch.Tensor:
    """Take the steps row by row."""
    weights, sums = table(), [0.0] * 5
    for rows, found in zip(LOOKUPS, gradients(), strict=True):
        for row in set(rows) - {0}:
            gradient = sum(found[place] for place in range(3) if rows[place] == row) + l2 * weights[row]
            assert isinstance(gradient, torch.Tensor)
            sums[row] += float((gradient**2).mean())
            weights[row] = weights[row] - RATE * gradient / (sums[row] ** 0.5 + 1e-8)
    return weights


def step_all(rule: RowwiseAdagrad, steps: slice = slice(None)) -> None:
    for rows, found in list(zip(LOOKUPS, gradients(), strict=True))[steps]:
        touched = rule.touch(torch.tensor(rows), learning_rate=RATE)
        gradient, _ = rule.gradient(touched, found)
        rule.step(touched, gradient, learning_rate=RATE)


@pytest.mark.parametrize("l2", [0.0, 0.2])
def test_steps_are_those_taken_row_by_row(l2: float) -> None:
    weights = table()
    step_all(RowwiseAdagrad(weights, l2=l2))
    assert torch.allclose(weights, naive(l2), atol=1e-6)
    assert not weights[0].any()


@pytest.mark.parametrize("l2", [0.0, 0.2])
def test_the_dense_step_is_the_same(l2: float) -> None:
    weights = table()
    rule = RowwiseAdagrad(weights, l2=l2)
    for rows, found in zip(LOOKUPS, gradients(), strict=True):
        dense = torch.zeros_like(weights).index_add_(0, torch.tensor(rows), found)
        dense[0] = 0
        rule.penalise(dense)
        rule.step_densely(dense, learning_rate=RATE)
    assert torch.allclose(weights, naive(l2), atol=1e-6)


def test_the_squared_norm_is_that_of_the_gradient_of_the_rows() -> None:
    rule = RowwiseAdagrad(torch.zeros(4, 2))
    touched = rule.touch(torch.tensor([1, 3, 1]), learning_rate=RATE)
    gradient, squared = rule.gradient(touched, torch.tensor([[1.0, 0.0], [0.0, 2.0], [2.0, 0.0]]))
    assert gradient.tolist() == [[3.0, 0.0], [0.0, 2.0]]
    assert squared.item() == pytest.approx(13.0)


def test_a_restored_rule_goes_on_bit_for_bit() -> None:
    whole, first = table(), table()
    step_all(RowwiseAdagrad(whole))
    rule = RowwiseAdagrad(first)
    step_all(rule, slice(2))
    again = RowwiseAdagrad(first)
    again.restore(rule.state())
    step_all(again, slice(2, None))
    assert torch.equal(first, whole)


def test_the_state_of_another_table_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sums of squares must be .* \(5,\), but are .* \(3,\)"):
        RowwiseAdagrad(table()).restore(RowwiseAdagrad(torch.zeros(3, 2)).state())

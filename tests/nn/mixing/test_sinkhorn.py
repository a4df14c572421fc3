import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.nn.mixing.sinkhorn import DoublyStochasticMatrix, symmetric_sinkhorn


def symmetric(size: int, *, deviation: float, seed: int = 0) -> torch.Tensor:
    scores = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return deviation * (scores + scores.T) / 2**0.5


def test_two_by_two_by_hand() -> None:
    # [[a, b], [b, a]] / (a + b) is what the scaling of [[a, b], [b, a]] must be
    logits = torch.tensor([[3.0, 1.0], [1.0, 3.0]]).log()
    torch.testing.assert_close(symmetric_sinkhorn(logits, iterations=20), torch.tensor([[0.75, 0.25], [0.25, 0.75]]))


def test_scaling_is_by_one_diagonal_from_both_sides() -> None:
    # [[1, 2], [2, 16]]: D = diag(p, q) with p^2 + 2pq = 1 and 2pq + 16q^2 = 1 gives p = 4q, q^2 = 1/24
    logits = torch.tensor([[1.0, 2.0], [2.0, 16.0]]).log()
    expected = torch.tensor([[16.0, 8.0], [8.0, 16.0]]) / 24
    torch.testing.assert_close(symmetric_sinkhorn(logits, iterations=60), expected)


@given(st.integers(1, 12), st.integers(0, 100))
def test_rows_and_columns_sum_to_one(size: int, seed: int) -> None:
    matrix = symmetric_sinkhorn(symmetric(size, deviation=1.0, seed=seed), iterations=200)
    assert torch.equal(matrix, matrix.T)
    assert (matrix > 0).all()
    torch.testing.assert_close(matrix.sum(1), torch.ones(size, dtype=torch.float64), atol=1e-5, rtol=0)


def test_twenty_steps_at_deviation_one_leave_an_error_below_a_millionth() -> None:
    matrix = symmetric_sinkhorn(symmetric(20, deviation=1.0), iterations=20)
    assert (matrix.sum(1) - 1).abs().max() < 1e-6


def test_huge_logits_neither_overflow_nor_vanish() -> None:
    matrix = symmetric_sinkhorn(symmetric(8, deviation=1000.0).float(), iterations=20)
    assert torch.isfinite(matrix).all()
    assert matrix.sum() > 1


def test_gradients_of_the_scaling_are_exact() -> None:
    logits = symmetric(4, deviation=1.0).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: symmetric_sinkhorn(values, iterations=7), (logits,))


def test_lower_temperatures_give_sharper_matrices() -> None:
    matrix = DoublyStochasticMatrix(size=5, start_temperature=10.0, end_temperature=0.2, iterations=200)
    torch.nn.init.normal_(matrix.scores, generator=torch.Generator().manual_seed(0))
    smooth = matrix()
    matrix.set_epochs_done(1.0)
    assert smooth.var() < 0.1 * matrix().var()
    torch.testing.assert_close(smooth, torch.full((5, 5), 0.2), atol=0.05, rtol=0)


@pytest.mark.parametrize(("epochs", "temperature"), [(0.0, 1.0), (0.5, 0.7625), (2.0, 0.05), (7.0, 0.05)])
def test_the_temperature_falls_linearly_and_stays(epochs: float, temperature: float) -> None:
    matrix = DoublyStochasticMatrix(size=3, start_temperature=1.0, end_temperature=0.05, fall_epochs=2.0)
    matrix.set_epochs_done(epochs)
    assert float(matrix.temperature) == pytest.approx(temperature)


def test_equal_ends_fix_the_temperature() -> None:
    matrix = DoublyStochasticMatrix(size=3, start_temperature=0.3, end_temperature=0.3)
    matrix.set_epochs_done(0.4)
    assert float(matrix.temperature) == pytest.approx(0.3)


def test_stored_weights_hold_their_temperature() -> None:
    stored, read = (DoublyStochasticMatrix(size=3) for _ in range(2))
    stored.set_epochs_done(0.5)
    read.load_state_dict(stored.state_dict())
    assert torch.equal(read(), stored())

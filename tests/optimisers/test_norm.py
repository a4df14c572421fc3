"""The norm of all gradients is that of one long vector, whoever computes it."""

import math

import pytest
import torch
from torch import Tensor

from rankelastor.native.library import SWITCH
from rankelastor.optimisers.norm import finite_norm

GRADIENTS = {
    "three sizes": [torch.tensor([3.0]), torch.tensor([[4.0, 12.0]]), torch.full((3, 3), 84 / 3)],
    "a scalar and none": [torch.tensor(5.0), torch.zeros(0)],
    "not side by side": [torch.arange(6.0).view(2, 3).t()],
    "many": [torch.linspace(-1, 1, 300_000)],
    "nothing": [],
}


@pytest.fixture(params=["kernels", "PyTorch"], autouse=True)
def computed_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Compute norms with the kernels, or without them."""
    if request.param == "PyTorch":
        monkeypatch.setenv(SWITCH, "off")
    return str(request.param)


@pytest.mark.parametrize("gradients", GRADIENTS.values(), ids=GRADIENTS.keys())
def test_the_norm_is_that_of_all_values_side_by_side(gradients: list[Tensor]) -> None:
    expected = math.sqrt(sum(float(each.double().square().sum()) for each in gradients))
    norm = finite_norm(gradients)
    assert norm.dtype == torch.float32
    assert float(norm) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("value", [3e30, 1e-30])
def test_large_and_small_gradients_have_a_norm(value: float) -> None:
    assert float(finite_norm([torch.full((4,), value)])) == pytest.approx(2 * value, rel=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_has_no_finite_norm(value: float) -> None:
    assert not math.isfinite(finite_norm([torch.ones(3), torch.tensor([value])]))

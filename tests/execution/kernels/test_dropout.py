"""Dropout with masks of bytes: the numbers of the plain layer, from a stream."""

import pytest
import torch

from rankelastor.execution.kernels.dropout import DropoutOperation
from rankelastor.nn.dropout import Dropout, Mask
from rankelastor.nn.random_bytes import RandomBytes


def test_what_is_dropped_by_hand() -> None:
    drawn = torch.tensor([63, 64, 0, 255, 7, 7], dtype=torch.uint8)  # elements, then two bytes for the threshold, 64
    operation = DropoutOperation(Dropout(0.25), lambda count: drawn[:count])
    x = torch.tensor([3.0, 3.0, 3.0, -6.0], requires_grad=True)
    out = operation(x)
    torch.testing.assert_close(out, torch.tensor([0.0, 4.0, 0.0, -8.0]))
    (gradient,) = torch.autograd.grad(out, x, torch.tensor([1.0, 1.0, 1.0, 3.0]))
    torch.testing.assert_close(gradient, torch.tensor([0.0, 4 / 3, 0.0, 4.0]))


def test_kernels_get_noise_threshold_and_scale_of_the_rate_in_force() -> None:
    layer = Dropout(0.25)
    noise, threshold, scale = DropoutOperation(layer, RandomBytes(1)).draw(2, 3)
    mask = Mask.draw(torch.Size([2, 3]), 0.25, RandomBytes(1))
    assert noise is not None
    assert torch.equal(noise, mask.noise)
    assert threshold == mask.threshold
    assert scale == pytest.approx(4 / 3)
    layer.eval()
    assert DropoutOperation(layer, RandomBytes(1)).draw(2, 3) == (None, 0, 1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_precision_of_the_input_is_kept(dtype: torch.dtype) -> None:
    out = DropoutOperation(Dropout(0.5), RandomBytes(1))(torch.ones(64, dtype=dtype))
    assert out.dtype == dtype
    assert set(out.tolist()) == {0.0, 2.0}

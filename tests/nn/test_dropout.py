"""Masks from random bytes: rate, scale, repeatability."""

import pytest
import torch

from rankelastor.nn.dropout import Dropout, Mask, PerTokenDropout
from rankelastor.nn.random_bytes import random_bytes, random_bytes_from


def test_the_rate_is_exact_on_average_also_between_two_bytes() -> None:
    rate, num_calls, size = 0.1, 400, torch.Size([1000])
    with random_bytes_from(1):
        masks = [Mask.draw(size, rate).times(torch.ones(size), 1.0) for _ in range(num_calls)]
    dropped = float((torch.stack(masks) == 0).sum()) / size.numel()
    # a fixed threshold of 25 or 26 bytes would give .0977 or .1016
    assert dropped / num_calls == pytest.approx(rate, abs=0.0015)


def test_what_is_kept_is_scaled_and_the_gradient_takes_the_same_mask() -> None:
    x = torch.ones(4000, requires_grad=True)
    out = Dropout(0.25)(x)
    assert out.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, out.detach())


def test_the_same_seed_gives_the_same_mask_and_another_call_another() -> None:
    dropout, x = Dropout(0.5), torch.ones(256)
    torch.manual_seed(5)
    first, second = dropout(x), dropout(x)
    torch.manual_seed(5)
    assert torch.equal(first, dropout(x))
    assert not torch.equal(first, second)


def test_a_stream_stands_apart_from_the_global_generator() -> None:
    with random_bytes_from(1, 2):
        first = random_bytes(64)
    torch.manual_seed(9)
    with random_bytes_from(1, 2):
        assert torch.equal(first, random_bytes(64))
    with random_bytes_from(1, 3):
        assert not torch.equal(first, random_bytes(64))


def test_evaluation_and_rate_zero_change_nothing() -> None:
    x = torch.randn(8)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


@pytest.mark.parametrize("rate", [0.997, 0.999, 1.0])
def test_the_highest_rates_drop_nearly_everything(rate: float) -> None:
    torch.manual_seed(1)
    layer = Dropout(rate)
    kept = [float((layer(torch.ones(200)) != 0).float().mean()) for _ in range(200)]
    assert sum(kept) / len(kept) < 0.01


def test_masks_of_tokens_do_not_depend_on_how_the_tokens_lie_in_memory() -> None:
    by_token = torch.randn(3, 5, 8).transpose(0, 1)
    dropped = []
    for x in (by_token, by_token.contiguous()):
        with random_bytes_from(1):
            dropped.append(PerTokenDropout(0.5)(x))
    assert torch.equal(*dropped)
    assert all(out.stride() == by_token.stride() for out in dropped)

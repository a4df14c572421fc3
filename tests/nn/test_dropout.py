"""Masks from random bytes: rate, scale, repeatability."""

import pytest
import torch

from rankelastor.nn.dropout import Dropout, Mask, PerTokenDropout
from rankelastor.nn.random_bytes import RandomBytes


def test_the_rate_is_exact_on_average_also_between_two_bytes() -> None:
    rate, num_calls, size, stream = 0.1, 400, torch.Size([1000]), RandomBytes(1)
    kept = sum(float(Mask.draw(size, rate, stream).to_numbers(torch.float32).sum()) for _ in range(num_calls))
    # a fixed threshold of 25 or 26 bytes would give .0977 or .1016
    assert 1 - kept / (num_calls * size.numel()) == pytest.approx(rate, abs=0.0015)


def test_a_mask_keeps_bytes_from_its_threshold_on() -> None:
    noise = torch.tensor([[0, 99], [100, 255]], dtype=torch.uint8)
    assert Mask(noise, 100).to_numbers(torch.float64).tolist() == [[0.0, 0.0], [1.0, 1.0]]
    assert Mask(noise, 0).to_numbers(torch.float32).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert Mask(noise, 256).to_numbers(torch.float32).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_dropout_by_hand() -> None:
    layer = Dropout(0.25)
    # bytes of the elements, then two that decide the threshold: 256 / 4 = 64 exactly
    layer.random_bytes = lambda count: torch.tensor([63, 64, 0, 255, 7, 7], dtype=torch.uint8)[:count]
    torch.testing.assert_close(layer(torch.tensor([3.0, 3.0, 3.0, -6.0])), torch.tensor([0.0, 4.0, 0.0, -8.0]))


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


def test_a_layer_draws_from_the_stream_it_is_given() -> None:
    dropout, x = Dropout(0.5), torch.ones(256)
    dropout.random_bytes = RandomBytes(3)
    torch.manual_seed(5)
    first = dropout(x)
    dropout.random_bytes = RandomBytes(3)
    torch.manual_seed(6)
    assert torch.equal(first, dropout(x))


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
        layer = PerTokenDropout(0.5)
        layer.random_bytes = RandomBytes(1)
        dropped.append(layer(x))
    assert torch.equal(*dropped)
    assert dropped[0].stride() == by_token.stride()


def test_masks_of_tokens_are_drawn_token_by_token() -> None:
    layer, flat = PerTokenDropout(0.5), Dropout(0.5)
    layer.random_bytes, flat.random_bytes = RandomBytes(1), RandomBytes(1)
    x = torch.randn(4, 3, 2)
    assert torch.equal(layer(x), flat(x.transpose(0, 1).contiguous()).transpose(0, 1))


def test_a_rate_changed_later_holds_from_then_on() -> None:
    layer, x = Dropout(0.0), torch.ones(1000)
    assert layer(x) is x
    layer.p = 0.5
    assert 400 < float((layer(x) == 0).sum()) < 600
    assert layer.rate == 0.5
    assert layer.eval().rate == 0.0

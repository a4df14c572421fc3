import pytest
import torch

from rankelastor.nn.random_bytes import RandomBytes, draw_seed, fresh_bytes


def test_the_seed_comes_from_the_global_generator() -> None:
    torch.manual_seed(3)
    seeds = [draw_seed(), draw_seed()]
    torch.manual_seed(3)
    assert [draw_seed(), draw_seed()] == seeds
    assert seeds[0] != seeds[1]


def test_fresh_bytes_repeat_with_the_seed_and_differ_from_call_to_call() -> None:
    torch.manual_seed(5)
    first, second = fresh_bytes(64), fresh_bytes(64)
    torch.manual_seed(5)
    assert torch.equal(first, fresh_bytes(64))
    assert not torch.equal(first, second)


def test_a_stream_stands_apart_from_the_global_generator() -> None:
    torch.manual_seed(1)
    stream, state = RandomBytes(1, 2), torch.get_rng_state()
    first = stream(64)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(9)
    assert torch.equal(first, RandomBytes(1, 2)(64))
    assert not torch.equal(first, RandomBytes(1, 3)(64))


def test_a_stream_goes_on_and_can_be_restarted() -> None:
    stream = RandomBytes(7)
    first, second = stream(16), stream(16)
    assert not torch.equal(first, second)
    stream.restart(7)
    assert torch.equal(stream(16), first)
    assert torch.equal(stream(16), second)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9])
def test_any_number_of_bytes_can_be_drawn(count: int) -> None:
    for drawn in (fresh_bytes(count), RandomBytes(1)(count)):
        assert drawn.shape == (count,)
        assert drawn.dtype == torch.uint8


def test_every_byte_is_equally_likely() -> None:
    counts = torch.bincount(RandomBytes(4)(256 * 4000).int(), minlength=256)
    assert len(counts) == 256
    # the deviation of a count is 63: six of them are not met by chance
    assert (counts - 4000).abs().max() < 6 * 63

import pytest
import torch
from tests.native.kernel_results import needs_kernels

from rankelastor.native import library
from rankelastor.native.calling import OfParts, call, kernels_divide_rows, num_parts
from rankelastor.native.library import SWITCH

CACHE_LINE_FLOATS = 16


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 32), (7, 11, 13)])
def test_buffers_of_parts_share_no_cache_line_and_add_up(shape: tuple[int, ...]) -> None:
    buffers = OfParts(shape, parts=3)
    first, second = buffers.buffers[0].data_ptr(), buffers.buffers[1].data_ptr()
    assert second - first >= 4 * CACHE_LINE_FLOATS
    assert (second - first) % (4 * CACHE_LINE_FLOATS) == 0
    buffers.buffers[:] = torch.tensor([1.0, 2.0, 4.0]).unsqueeze(1)
    assert torch.equal(buffers.sum(), torch.full(shape, 7.0))


@pytest.mark.parametrize(
    ("rows", "threads", "parts"), [(0, 4, 1), (100, 4, 1), (128, 4, 2), (10_000, 4, 4), (10_000, 1, 1)]
)
def test_cores_get_parts_that_are_worth_their_while(rows: int, threads: int, parts: int) -> None:
    needs_kernels()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert num_parts(rows) == (parts if kernels_divide_rows() else 1)
    finally:
        torch.set_num_threads(before)


def test_without_kernels_there_is_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "off")
    library._loaded.cache_clear()
    assert not kernels_divide_rows()
    assert num_parts(10**6) == 1


@pytest.mark.parametrize("flushes", [True, False])
def test_all_parts_take_tiny_numbers_as_their_caller_does(flushes: bool) -> None:
    needs_kernels()
    x, tiny, inverse = torch.ones(128, 16), torch.full((16,), 1.5e-38), torch.zeros(128)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        out = torch.ones(128, 16)
        call("rms_norm_forward", x, 0, 16, torch.ones(16), 0, out, 0, 16, inverse, 1, 128, 16, rows=128, parts=2)
        torch.set_flush_denormal(flushes)
        call("rms_norm_forward", 0.25 * x + 1, 0, 16, 0.5 * tiny, 0, out, 0, 16, inverse, 1, 128, 16, rows=128, parts=2)
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)
    zeros = out.view(torch.int32) == 0
    assert bool(zeros.all()) if flushes else not bool(zeros.any())


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_cover_all_rows_once(parts: int) -> None:
    needs_kernels()
    x, out, inverse = torch.randn(50, 4), torch.zeros(50, 4), torch.zeros(50)
    call("rms_norm_forward", x, 0, 4, torch.ones(4), 0, out, 0, 4, inverse, 1, 50, 4, rows=50, parts=parts)
    assert torch.allclose(out, x / x.square().mean(1, keepdim=True).sqrt(), atol=1e-5)

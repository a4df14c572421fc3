import pytest
import torch
from torch import Tensor

from rankelastor.native import calling, library
from rankelastor.native.calling import (
    Accumulator,
    call,
    kernels_take,
    kernels_use_threads,
    num_parts,
    rows_per_block,
    with_contiguous_rows,
)
from rankelastor.native.library import SWITCH, kernels

CACHE_LINE_FLOATS = 16


def needs_kernels() -> None:
    """Skip where there is no C compiler to build them."""
    if kernels() is None:
        pytest.skip("needs a C compiler")


def norm_forward(x: Tensor, gain: Tensor, out: Tensor, *, parts: int) -> None:
    """The kernel of an RMSNorm for rows of x."""
    rows, dim = x.shape
    call(
        "rms_norm_forward",
        {
            "x": x,
            "x_group": 0,
            "x_row": dim,
            "gain": gain,
            "gain_group": 0,
            "out": out,
            "out_group": 0,
            "out_row": dim,
            "inverse": torch.zeros(rows),
            "groups": 1,
            "rows": rows,
            "dim": dim,
        },
        rows=rows,
        parts=parts,
    )


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 32), (7, 11, 13)])
def test_buffers_of_parts_share_no_cache_line(shape: tuple[int, ...]) -> None:
    accumulator = Accumulator(shape, parts=3)
    first, second = accumulator.buffers[0].data_ptr(), accumulator.buffers[1].data_ptr()
    assert accumulator.data_ptr() == first
    assert second - first >= 4 * CACHE_LINE_FLOATS
    assert (second - first) % (4 * CACHE_LINE_FLOATS) == 0
    assert accumulator.sum().shape == shape


def norm_backward(gradient: Tensor, dgain: Accumulator, *, parts: int) -> None:
    """The kernel of an RMSNorm's gradients, where the gain's is the sum of the gradient over its rows."""
    rows, dim = gradient.shape
    strides = {
        f"{name}_{axis}": stride for name in ("gradient", "x", "dx") for axis, stride in (("group", 0), ("row", dim))
    }
    call(
        "rms_norm_backward",
        {
            "gradient": gradient,
            "x": torch.ones(rows, dim),
            "dx": torch.empty(rows, dim),
            **strides,
            "gain": torch.ones(dim),
            "gain_group": 0,
            "inverse": torch.ones(rows),
            "dgain": dgain,
            "gain_size": dim,
            "groups": 1,
            "rows": rows,
            "dim": dim,
        },
        rows=rows,
        parts=parts,
    )


@pytest.mark.parametrize("parts", [1, 2, 5])
@pytest.mark.parametrize(("rows", "dim"), [(200, 3), (40, 20_000), (3, 7), (0, 4)])  # of few rows, parts have none
def test_a_call_zeroes_accumulators_before_and_adds_them_up_after(parts: int, rows: int, dim: int) -> None:
    needs_kernels()
    gradient, dgain = torch.arange(float(rows * dim)).remainder(64).view(rows, dim), Accumulator((dim,), parts=parts)
    dgain.buffers.fill_(torch.nan)
    for _ in range(2):
        norm_backward(gradient, dgain, parts=parts)
        assert torch.equal(dgain.sum(), gradient.sum(0))


@pytest.mark.parametrize(
    ("rows", "threads", "parts"), [(0, 4, 1), (100, 4, 1), (128, 4, 2), (10_000, 4, 4), (10_000, 1, 1)]
)
def test_cores_get_parts_that_are_worth_their_while(rows: int, threads: int, parts: int) -> None:
    needs_kernels()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert num_parts(rows) == (parts if kernels_use_threads() else 1)
    finally:
        torch.set_num_threads(before)


def test_without_kernels_there_is_one_part_and_a_call_is_our_own_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "off")
    library._loaded.cache_clear()
    assert not kernels_use_threads()
    assert num_parts(10**6) == 1
    with pytest.raises(AssertionError, match="if there are kernels"):
        norm_forward(torch.ones(2, 3), torch.ones(3), torch.ones(2, 3), parts=1)


@pytest.mark.parametrize("flushes", [True, False])
def test_all_parts_take_tiny_numbers_as_their_caller_does(flushes: bool) -> None:
    needs_kernels()
    x, tiny, out = torch.ones(128, 16), torch.full((16,), 1.5e-38), torch.ones(128, 16)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        norm_forward(x, torch.ones(16), out, parts=2)
        torch.set_flush_denormal(flushes)
        norm_forward(0.25 * x + 1, 0.5 * tiny, out, parts=2)
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)
    zeros = out.view(torch.int32) == 0
    assert bool(zeros.all()) if flushes else not bool(zeros.any())


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_cover_all_rows_once(parts: int) -> None:
    needs_kernels()
    x, out = torch.randn(50, 4), torch.zeros(50, 4)
    norm_forward(x, torch.ones(4), out, parts=parts)
    assert torch.allclose(out, x / x.square().mean(1, keepdim=True).sqrt(), atol=1e-5)


@pytest.mark.parametrize("rows", [1, 15, 16, 1000, 4097])
def test_blocks_are_equal_fit_the_cache_and_cover_all_rows(rows: int) -> None:
    block = rows_per_block(rows, floats_per_row=2048, num_weights=10)
    num_blocks = -(-rows // block)
    assert block <= max(16, calling._BLOCK_BYTES // (4 * 2048))
    assert num_blocks * block - rows < num_blocks


def test_kernels_take_contiguous_float32_on_the_cpu_and_nothing_else() -> None:
    fine = torch.ones(3, 4)
    assert kernels_take()
    assert kernels_take(fine, torch.nn.Parameter(fine))
    for other in (None, fine.double(), fine.half(), fine.T, fine[:, ::2], fine.to("meta"), fine.expand(2, 3, 4)):
        assert not kernels_take(fine, other)


def test_rows_that_are_contiguous_and_apart_are_not_copied() -> None:
    x = torch.arange(24.0).view(2, 3, 4)
    for kept in (x, x.transpose(0, 1), x[:, ::2], x[..., :3]):
        assert with_contiguous_rows(kept) is kept


def test_rows_with_gaps_or_on_top_of_each_other_are_copied() -> None:
    x = torch.arange(24.0).view(2, 3, 4)
    for moved in (x.transpose(1, 2), x[..., ::2], x[:, :1].expand(2, 3, 4), x[..., :1].expand(2, 3, 4)):
        copied = with_contiguous_rows(moved)
        assert torch.equal(copied, moved)
        assert copied.is_contiguous()

"""Masks do not depend on who draws their bytes."""

import pytest
import torch

from rankelastor.execution.kernels.random_bytes import KernelRandomBytes
from rankelastor.native.library import SWITCH
from rankelastor.nn.random_bytes import RandomBytes


@pytest.mark.parametrize("seed", [(0,), (7,), (2**61, 3), (5, 0, 1)])
@pytest.mark.parametrize("is_on", [True, False], ids=["kernels", "NumPy"])
def test_the_bytes_are_those_of_the_plain_stream(
    seed: tuple[int, ...], is_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_on:
        monkeypatch.setenv(SWITCH, "off")
    ours, plain = KernelRandomBytes(*seed), RandomBytes(*seed)
    for count in (1, 8, 13, 0, 100_003):
        assert torch.equal(ours(count), plain(count))
    first = ours(9)
    ours.restart(*seed)
    plain.restart(*seed)
    assert torch.equal(ours(9), plain(9))
    assert not torch.equal(ours(9), first)

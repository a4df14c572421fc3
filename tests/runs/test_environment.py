"""What the bits of a result depend on is written down beside it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tests.native.test_calling import needs_kernels

from rankelastor.native import library
from rankelastor.runs.environment import describe_arithmetic

CPU = torch.device("cpu")


def test_kernels_built_of_other_sources_are_other_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles of an earlier version are then compared within a tolerance, and checkpoints say that bits may change."""
    needs_kernels()
    build, before = library.loaded_build(), describe_arithmetic(CPU)
    assert build is not None
    monkeypatch.setattr(library, "_loaded", lambda: dataclasses.replace(build, key="0" * 16))
    after = describe_arithmetic(CPU)
    assert {name for name, value in after.items() if before[name] != value} == {"build of the kernels"}

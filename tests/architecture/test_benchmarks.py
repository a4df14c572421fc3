"""A script of benchmarks/ hides no package: its folder comes first in the path of `python benchmarks/NAME.py`."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TRIED_BY_PYTORCH = ("cuda", "triton")
"""Packages that PyTorch imports where they are, and that no extra of this one brings."""
ELSEWHERE = [place for place in sys.path if place and not Path(place, "benchmarks").is_dir()]


@pytest.mark.parametrize("name", sorted(path.stem for path in BENCHMARKS.glob("[!_]*") if path.suffix in (".py", "")))
def test_no_script_has_the_name_of_a_package(name: str) -> None:
    assert PathFinder.find_spec(name, ELSEWHERE) is None
    assert name not in (*sys.stdlib_module_names, *TRIED_BY_PYTORCH)

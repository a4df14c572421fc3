"""A share is written in one way everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rankelastor
from rankelastor.percent import percent

SOURCE = Path(rankelastor.__file__).parent
BY_HAND = re.compile(r":[^{}\"' ]*\.\d%\}|\}%|\d%[ ,.;)]")
"""A share formatted without ``percent``, or a number with its sign right behind it."""


@pytest.mark.parametrize(
    ("share", "written"), [(0.4, "40 %"), (0.0999, "10.0 %"), (0.05, "5.0 %"), (0, "0.0 %"), (1, "100 %")]
)
def test_small_shares_have_a_digit_more(share: float, written: str) -> None:
    assert percent(share) == written


def test_no_module_writes_a_share_by_hand() -> None:
    found = [
        f"{path.relative_to(SOURCE)}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if path.name != "percent.py" and BY_HAND.search(line)
    ]
    assert not found, "use rankelastor.percent.percent"

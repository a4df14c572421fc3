"""Names of the stages in figures and tables."""

from __future__ import annotations

import re

_SUBLAYER = re.compile(r"block(\d+)\.(mixing|pffn)")
_WORDS = {"mixing": "mixing", "pffn": "FFN"}


def stage_label(point: str) -> str:
    """Format a point in words, with layers counted from 1; points that are not stages keep their names.

    Example:
        >>> [stage_label(point) for point in ("tokens", "block0.mixing", "block0.pffn", "network.head")]
        ['tokens', 'mixing 1', 'FFN 1', 'network.head']
    """
    found = _SUBLAYER.fullmatch(point)
    return f"{_WORDS[found[2]]} {int(found[1]) + 1}" if found else point

"""The targets of each ratio to the baseline, and whether the machine's arithmetic allows them."""

from __future__ import annotations

from typing import Any

Targets = tuple[float, float]
"""With AVX2, and with AVX-512."""

TARGETS: dict[str, dict[str, Targets]] = {
    "criteo-e10-0.5M": {"train": (5, 8), "infer 4096": (4.2, 4.8), "infer 64": (4, 4), "infer 1": (6, 6)},
    "criteo-e10-2.1M": {"train": (5.3, 9), "infer 4096": (4.2, 4.8), "infer 64": (4, 4), "infer 1": (6, 6)},
    "criteo-e20-rankmixer-0.5M": {"train": (2.6, 4)},
    "avazu-e16-0.5M": {"train": (2.2, 3)},
    "frappe-rankelastor": {"epoch": (4, 4.5)},
    "frappe-rankmixer": {"epoch": (4, 4.5)},
    "demo-rankelastor": {"epoch": (4, 4.5)},
    "demo-rankmixer": {"epoch": (4, 4.5)},
}
LARGEST_SHARE = 0.8
"""Share of the peak beyond which no program that does the same arithmetic gets."""


def judge(name: str, what: str, figure: dict[str, Any], instructions: str) -> str:
    """Say in words whether a ratio meets its target; empty without one.

    Example:
        >>> figure = {"ratio": 4.0, "share_of_peak": {"published": 0.2, "ours": 0.7}}
        >>> judge("frappe-rankmixer", "epoch", figure, "avx2")
        'target 4: met'
        >>> judge("frappe-rankmixer", "epoch", figure, "avx512")
        'target 4.5: forbidden by arithmetic, since it would take 90 % of the peak'
        >>> judge("frappe-rankmixer", "train", figure, "avx512")
        ''
    """
    targets = TARGETS.get(name, {}).get(what)
    if targets is None:
        return ""
    target = targets[1] if instructions == "avx512" else targets[0]
    if figure["ratio"] >= target:
        return f"target {target:g}: met"
    needed = figure["share_of_peak"]["published"] * target
    if needed > LARGEST_SHARE:
        return f"target {target:g}: forbidden by arithmetic, since it would take {needed:.0%} of the peak".replace(
            "%", " %"
        )
    return f"target {target:g}: missed, would take {needed:.0%} of the peak".replace("%", " %")

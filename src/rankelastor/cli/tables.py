"""Tables that several verbs print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

_MOST_UNSEEN = 10

_NAMES = {
    "auc": "AUC",
    "gauc": "gAUC",
    "logloss": "logloss (nats)",
    "normalized_entropy": "normalised entropy",
    "calibration_ratio": "calibration ratio",
    "expected_calibration_error": "expected calibration error",
    "num_examples": "examples",
}


def metrics_table(splits: Mapping[str, Mapping[str, float | int]]) -> Table:
    """Metrics as rows, splits as columns, six decimals; a metric that a split lacks is left blank."""
    table = Table("metric", *[f"{split}" for split in splits], box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, shown in _NAMES.items():
        if any(name in metrics for metrics in splits.values()):
            table.add_row(shown, *[format_metric(metrics.get(name)) for metrics in splits.values()])
    return table


def format_metric(value: float | None) -> str:
    """Six decimals, counts with separators, blank where there is none."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.6f}"


def unseen_view(unseen: Mapping[str, Any]) -> Group:
    """What training has not seen of a split: the fields with most of it, and the AUC of the rows that hold any."""
    shares = sorted(unseen["share_by_field"].items(), key=lambda item: -item[1])
    held = [(name, share) for name, share in shares if share > 0]
    auc = f", their AUC is {unseen['auc']:.6f}" if "auc" in unseen else ""
    says = (
        f"\n{unseen['num_examples']:,} rows ({unseen['share_of_examples']:.2%}) hold values that training has not seen"
    )
    names = unseen["fields_left_out"]
    left_out = [Text(f"Left out, since their blanks are out of vocabulary too: {_listed(names)}")] if names else []
    if not held:
        return Group(Text(f"{says.rstrip()}."), *left_out)
    table = Table("field", "unseen values", box=None, pad_edge=False, header_style="bold")
    table.columns[1].justify = "right"
    for name, share in held[:_MOST_UNSEEN]:
        table.add_row(Text(name), f"{share:.2%}")
    more = len(held) - _MOST_UNSEEN
    rest = [Text(f"and {more} more: see --json", style="dim")] if more > 0 else []
    return Group(Text(f"{says}{auc}."), *left_out, "", table, *rest)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_UNSEEN
    return ", ".join(names[:_MOST_UNSEEN]) + (f" and {more} more" if more > 0 else "")


def describe_speed(speed: Mapping[str, float | int]) -> str:
    """The speed of ``result.json`` in words: what was reached, of what the machine can do, and the memory it took.

    Example:
        >>> describe_speed(
        ...     {
        ...         "dense_flops_per_second": 2e10,
        ...         "machine_peak_flops_per_second": 1e11,
        ...         "share_of_machine_peak": 0.2,
        ...         "peak_memory_bytes": 512_000_000,
        ...     }
        ... )
        '20.0 dense GFLOP/s, 20.0% of the 100.0 GFLOP/s that a matrix product reaches here; 512 MB peak memory'
    """
    memory = [
        f"{speed[name] / 1e6:,.0f} MB peak {words}"
        for name, words in (("peak_memory_bytes", "memory"), ("peak_device_memory_bytes", "on the device"))
        if name in speed
    ]
    reached, peak = (speed[f"{name}_flops_per_second"] / 1e9 for name in ("dense", "machine_peak"))
    return (
        f"{reached:,.1f} dense GFLOP/s, {speed['share_of_machine_peak']:.1%} of the {peak:,.1f} GFLOP/s that a matrix "
        f"product reaches here; {', '.join(memory)}"
    )

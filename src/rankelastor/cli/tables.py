"""Tables that several verbs print."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

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

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

"""Tables that are printed by several verbs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.text import Text

from rankelastor.calibration.calibrators import AffineCalibrator
from rankelastor.cli.fitted_table import FittedTable
from rankelastor.metrics.report import LEFT_OUT, TASKS
from rankelastor.metrics.table import METRICS
from rankelastor.percent import percent
from rankelastor.runs.result import CalibratorFigures, RunResult

_MOST_UNSEEN = 10
_MEAN = "mean"


def metrics_table(splits: Mapping[str, Mapping[str, Any]]) -> FittedTable:
    """Build a table with one row per metric and one column per split, six decimals; missing metrics are blank.

    With several tasks the first column names the task, and the mean over the tasks is shown first.

    Args:
        splits: the result of ``Metrics.as_dict`` for each split.
    """
    has_tasks = any(TASKS in metrics for metrics in splits.values())
    headers = (["task"] if has_tasks else []) + ["metric"]
    table = FittedTable(*headers, *map(escape, splits), left=len(headers))
    for task, figures in _by_task(splits):
        for name, metric in METRICS.items():
            if any(name in metrics for metrics in figures):
                cells = [format_metric(metrics.get(name)) for metrics in figures]
                table.add_row(*([Text(task)] if has_tasks else []), metric.title, *cells)
    return table


def _by_task(splits: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Yield the figures of each split: first their means over the tasks, then those of each task."""
    yield _MEAN, list(splits.values())
    tasks = [metrics.get(TASKS, {}) for metrics in splits.values()]
    for task in dict.fromkeys(task for each in tasks for task in each):
        yield task, [each.get(task, {}) for each in tasks]


def metrics_view(splits: Mapping[str, Mapping[str, Any]]) -> Group:
    """Show the table of metrics, and below it a line for each metric that is left out in a split, with the reason."""
    return Group(metrics_table(splits), *(Text(line) for line in left_out_lines(splits)))


def left_out_lines(splits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say why metrics are left out; the same reason of several metrics or in several splits is said once.

    Example:
        >>> left_out_lines({"valid": {"auc": 0.7, "left_out": {"gauc": "no group holds both labels"}}})[0]
        'gAUC is left out of valid: no group holds both labels'
    """
    splits_of: dict[tuple[str, str], list[str]] = {}
    for split, metrics in splits.items():
        reasons = dict(metrics.get(LEFT_OUT, {}))
        has_figures = metrics.get(TASKS, {}).values() or [metrics]
        for name, metric in METRICS.items():
            if metric.needs_group and not any(name in figures for figures in has_figures):
                reasons.setdefault(name, "data.fields has no group")
        for name, reason in reasons.items():
            splits_of.setdefault((name, reason), []).append(split)
    titles_of: dict[tuple[str, str], list[str]] = {}
    for (name, reason), where in splits_of.items():
        titles_of.setdefault((reason, " and ".join(where)), []).append(METRICS[name].title)
    return [
        f"{_listed(titles)} {'is' if len(titles) == 1 else 'are'} left out of {where}: {reason}"
        for (reason, where), titles in titles_of.items()
    ]


def _listed(names: Sequence[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def comparison_lines(result: RunResult) -> list[str]:
    """Compare the ranker with logistic regression, calibration with none, and rules with the published protocol."""
    lines = []
    if (compared := result.baseline) is not None:
        lines.append(
            f"valid: AUC {_figure(compared.ranker, 'auc')}, logloss {_figure(compared.ranker, 'logloss')}; "
            f"logistic regression on {compared.num_train_rows:,} rows: AUC {_figure(compared.metrics, 'auc')}, "
            f"logloss {_figure(compared.metrics, 'logloss')}"
        )
    for split, figures in result.calibration.items():
        after = figures.after if figures.corrected is None else figures.corrected
        if figures.logit_shift:
            lines.append(
                f"{split}: calibration ratio {_figure(figures.before, 'calibration_ratio')} before "
                f"{figures.logit_shift:+.4f} was added to the logits, {_figure(after, 'calibration_ratio')} after"
            )
    differences = [f"unlike the published protocol: {each}" for each in result.protocol_differences]
    return [*lines, *calibration_lines(result), *differences]


def calibration_lines(result: RunResult) -> list[str]:
    """Say how the logits of each task are calibrated and why, and what that changes in each split."""
    has_tasks = len(result.calibrators) > 1
    lines = [
        f"calibration{f' of {task}' if has_tasks else ''}: {describe_calibrator(figures)}"
        for task, figures in result.calibrators.items()
    ]
    if all(figures.kind == "none" for figures in result.calibrators.values()):
        return lines
    for split, figures in result.calibration.items():
        before = figures.before if figures.corrected is None else figures.corrected
        changes = (
            f"{METRICS[name].title} {_figure(before, name)} -> {_figure(figures.after, name)}"
            for name in ("logloss", "calibration_ratio", "auc")
        )
        lines.append(f"{split}, calibrated: {', '.join(changes)}")
    return lines


def describe_calibrator(figures: CalibratorFigures) -> str:
    """Describe a calibrator in words, with the reason if it is not what the recipe asks for."""
    since = f", since {figures.reason}" if figures.reason else ""
    if figures.slope is None or figures.offset is None:
        return f"{figures.kind}{since}"
    return f"{figures.kind}, {AffineCalibrator(figures.slope, figures.offset).describe()}{since}"


def _figure(metrics: Mapping[str, Any], name: str) -> str:
    return f"{metrics[name]:.6f}" if name in metrics else "-"


def format_metric(value: float | None) -> str:
    """Format a metric with six decimals, a count with thousands separators, and None as blank."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.6f}"


def unseen_view(unseen: Mapping[str, Any]) -> Group:
    """Show the values of a split that are unseen in training: their share by field, and the AUC of their rows."""
    shares = sorted(unseen["share_by_field"].items(), key=lambda item: -item[1])
    held = [(name, share) for name, share in shares if share > 0]
    share_of_rows = percent(unseen["share_of_examples"], digits=2)
    says = f"\n{unseen['num_examples']:,} rows ({share_of_rows}) contain values unseen in training"
    names = unseen["fields_left_out"]
    left_out = (
        [Text(f"Left out, because their blanks are also out of vocabulary: {_join_names(names)}")] if names else []
    )
    if not held:
        return Group(Text(f"{says.rstrip()}."), *left_out)
    table = FittedTable("field", "unseen values")
    for name, share in held[:_MOST_UNSEEN]:
        table.add_row(Text(name), percent(share, digits=2))
    more = len(held) - _MOST_UNSEEN
    rest = [Text(f"and {more} more: see --json", style="dim")] if more > 0 else []
    return Group(Text(f"{says}{_auc_of_unseen(unseen)}."), *left_out, "", table, *rest)


def _auc_of_unseen(unseen: Mapping[str, Any]) -> str:
    by_task = [f"{task} {figures['auc']:.6f}" for task, figures in unseen.get(TASKS, {}).items() if "auc" in figures]
    of_tasks = f" ({', '.join(by_task)})" if by_task else ""
    mean = f" {unseen['auc']:.6f}" if "auc" in unseen else ""
    return f", their AUC is{mean}{of_tasks}" if mean or of_tasks else ""


def _join_names(names: Sequence[str]) -> str:
    more = len(names) - _MOST_UNSEEN
    return ", ".join(names[:_MOST_UNSEEN]) + (f" and {more} more" if more > 0 else "")


def describe_speed(speed: Mapping[str, float | int]) -> str:
    """Describe the speed in ``result.json``: dense FLOP/s, their share of the machine's peak, and peak memory.

    Example:
        >>> describe_speed(
        ...     {
        ...         "dense_flops_per_second": 2e10,
        ...         "machine_peak_flops_per_second": 1e11,
        ...         "share_of_machine_peak": 0.2,
        ...         "peak_memory_bytes": 512_000_000,
        ...     }
        ... )
        '20.0 dense GFLOP/s, 20.0 % of the 100.0 GFLOP/s that a matrix product reaches here; 512 MB peak memory'
    """
    memory = [
        f"{speed[name] / 1e6:,.0f} MB peak {words}"
        for name, words in (("peak_memory_bytes", "memory"), ("peak_device_memory_bytes", "on the device"))
        if name in speed
    ]
    reached, peak = (speed[f"{name}_flops_per_second"] / 1e9 for name in ("dense", "machine_peak"))
    return (
        f"{reached:,.1f} dense GFLOP/s, {percent(speed['share_of_machine_peak'], digits=1)} of the {peak:,.1f} GFLOP/s "
        f"that a matrix product reaches here; {', '.join(memory)}"
    )

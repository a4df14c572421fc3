"""The tables, figures and page of a backtest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rankelastor.backtesting.record import ARMS, Arm, BacktestResult
from rankelastor.percent import percent
from rankelastor.studies.report.page import render_report
from rankelastor.studies.report.table import Column, ReportTable, Value

_SHOWN = ("auc", "logloss")
_QUESTION = "Is a ranker better that goes on from day to day than one that is trained from scratch?"


def days_table(result: BacktestResult) -> ReportTable:
    """Make the table: a row for each test day, and the mean over the days on which the rankers differ."""
    columns = [Column("trained to"), Column("tested on"), Column("test rows", "count")]
    for metric in _SHOWN:
        columns += [Column(f"{arm} {metric}", "metric") for arm in ARMS] + [Column(f"{metric} diff.", "signed")]
    columns += [Column(f"unseen {arm}") for arm in ARMS]
    rows: list[tuple[Value, ...]] = []
    for day in result.days:
        values: list[Value] = [day.trained_on, day.tested_on, day.num_test_rows]
        for metric in _SHOWN:
            values += _pair(*(day.value(arm, metric) for arm in ARMS))
        rows.append((*values, *(percent(day.arms[arm].unseen_share, digits=1) for arm in ARMS)))
    if len(result.days) > 1:
        means: list[Value] = ["mean", "later days", None]
        for metric in _SHOWN:
            means += _pair(*(result.mean(arm, metric) for arm in ARMS))
        rows.append((*means, *(percent(_mean_unseen(result, arm), digits=1) for arm in ARMS)))
    return ReportTable("days", "Metrics by test day", tuple(columns), tuple(rows), notes_on(result))


def notes_on(result: BacktestResult) -> tuple[str, ...]:
    """Say in sentences what the table compares."""
    span = "the day before" if result.window == 1 else f"the {result.window} days before"
    return (
        (
            f"Cold: trained from scratch on {span} the test day, with its vocabularies. Warm: gone on from day to day. "
            "Diff.: warm minus cold. On the first day both are the same ranker; means are over the days after it."
        ),
        "Unseen: share of the test rows that hold a value without an id.",
    )


def verdict_on(result: BacktestResult) -> str:
    """Say which ranker was better, in one sentence."""
    cold, warm = (result.mean(arm, "auc") for arm in ARMS)
    later = [(day.value("cold", "auc"), day.value("warm", "auc")) for day in result.days[1:]]
    wins = sum(ours > theirs for theirs, ours in later if ours is not None and theirs is not None)
    if cold is None or warm is None:
        return "The log is too short to compare: on the first day both are the same ranker."
    better = "The warm start was better" if warm > cold else "The warm start was not better"
    return f"{better}: mean test AUC {warm:.6f} against {cold:.6f}, higher on {wins} of {len(later)} days."


def render_page(result: BacktestResult) -> str:
    """Render the page of a backtest as self-contained HTML."""
    return render_report(
        "Backtest", result.recipe, _QUESTION, [days_table(result)], figures_of(result), summary=[verdict_on(result)]
    )


def figures_of(result: BacktestResult) -> list[dict[str, Any]]:
    """Make the figures: each metric by test day, and the shares of rows with unseen values."""
    found = [
        _figure(
            result,
            f"Test {metric} by day",
            metric,
            {arm: [day.value(arm, metric) for day in result.days] for arm in ARMS},
        )
        for metric in _SHOWN
    ]
    shares = {arm: [day.arms[arm].unseen_share for day in result.days] for arm in ARMS}
    return [*found, _figure(result, "Test rows with a value without an id", "share of rows", shares)]


def _figure(
    result: BacktestResult, title: str, what: str, by_arm: Mapping[Arm, Sequence[float | None]]
) -> dict[str, Any]:
    days = [day.tested_on for day in result.days]
    return {
        "name": what.replace(" ", "_"),
        "kind": "paths",
        "title": title,
        "x": "test day",
        "y": what,
        "caption": "Cold: trained from scratch. Warm: gone on from day to day.",
        "series": [{"name": arm, "x": days, "y": list(values)} for arm, values in by_arm.items()],
    }


def _pair(cold: float | None, warm: float | None) -> list[Value]:
    return [cold, warm, None if cold is None or warm is None else warm - cold]


def _mean_unseen(result: BacktestResult, arm: Arm) -> float:
    later = [day.arms[arm].unseen_share for day in result.days[1:]]
    return sum(later) / len(later)

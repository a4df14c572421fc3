"""Tables of metrics for one task and for several."""

import io
from typing import Any

from rich.console import Console, RenderableType

from rankelastor.cli.tables import format_metric, left_out_lines, metrics_table, metrics_view, unseen_view
from rankelastor.metrics.table import METRICS

ONE = {"auc": 0.75, "num_examples": 1234}
SEVERAL = {"auc": 0.625, "tasks": {"click": {"auc": 0.75, "gauc": 0.7}, "like": {"auc": 0.5}}}


def lines(shown: RenderableType) -> list[list[str]]:
    file = io.StringIO()
    Console(file=file, width=100).print(shown)
    return [line.split() for line in file.getvalue().splitlines() if line.strip()]


def test_one_task_has_a_row_per_metric_and_a_column_per_split() -> None:
    shown = lines(metrics_table({"valid": ONE, "test": {"auc": 0.5}}))
    assert shown == [["metric", "valid", "test"], ["AUC", "0.750000", "0.500000"], ["examples", "1,234"]]


def test_several_tasks_are_named_and_their_mean_comes_first() -> None:
    assert lines(metrics_table({"test": SEVERAL})) == [
        ["task", "metric", "test"],
        ["mean", "AUC", "0.625000"],
        ["click", "AUC", "0.750000"],
        ["click", "gAUC", "0.700000"],
        ["like", "AUC", "0.500000"],
    ]


def test_a_task_that_one_split_lacks_is_left_blank_there() -> None:
    only_like = {"tasks": {"like": {"auc": 0.25}}}
    assert lines(metrics_table({"valid": only_like, "test": SEVERAL}))[-1] == ["click", "gAUC", "0.700000"]
    assert ["like", "AUC", "0.250000", "0.500000"] in lines(metrics_table({"valid": only_like, "test": SEVERAL}))


def test_a_task_may_be_named_like_markup() -> None:
    figures = {"auc": 0.5, "tasks": {"[red]": {"auc": 0.5}, "x": {"auc": 0.5}}}
    assert ["[red]", "AUC", "0.500000"] in lines(metrics_table({"test": figures}))


def test_a_missing_metric_is_blank() -> None:
    assert format_metric(None) == ""


def unseen(**auc: Any) -> dict[str, Any]:
    return {
        "num_examples": 4,
        "share_of_examples": 0.8,
        "share_by_field": {"site": 0.4},
        "fields_left_out": [],
        **auc,
    }


def says(**auc: Any) -> str:
    sentence = [word for line in lines(unseen_view(unseen(**auc))) for word in line]
    return " ".join(sentence[: sentence.index("field")])


def test_the_auc_of_unseen_is_shown_for_each_task() -> None:
    held = "4 rows (80.00 %) contain values unseen in training"
    assert says() == f"{held}."
    assert says(auc=0.5) == f"{held}, their AUC is 0.500000."
    tasks = {"click": {"auc": 0.6}, "like": {"auc": 0.4}}
    assert says(auc=0.5, tasks=tasks) == f"{held}, their AUC is 0.500000 (click 0.600000, like 0.400000)."
    assert says(tasks={"click": {"auc": 0.6}, "like": {}}) == f"{held}, their AUC is (click 0.600000)."
    assert says(tasks={"click": {}, "like": {}}) == f"{held}."


def test_a_metric_that_is_left_out_says_why_once_for_all_splits() -> None:
    reason = {"left_out": {"gauc": "no group holds both labels"}}
    assert left_out_lines({"valid": ONE | reason, "test": ONE | reason}) == [
        "gAUC is left out of valid and test: no group holds both labels",
        "NDCG@10, mean reciprocal rank and hit rate@10 are left out of valid and test: data.fields has no group",
    ]
    within_groups = {name: 0.6 for name, metric in METRICS.items() if metric.needs_group}
    assert left_out_lines({"test": ONE | within_groups}) == []
    del within_groups["gauc"]
    assert left_out_lines({"test": ONE | within_groups}) == ["gAUC is left out of test: data.fields has no group"]
    shown = [" ".join(words) for words in lines(metrics_view({"valid": ONE | reason}))]
    assert "gAUC is left out of valid: no group holds both labels" in shown

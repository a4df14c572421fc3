"""The progress of an ensemble's training, and the metrics of its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rich.text import Text

from rankelastor.cli.fitted_table import FittedTable
from rankelastor.cli.progress import Bar
from rankelastor.cli.tables import format_metric
from rankelastor.metrics.table import METRICS
from rankelastor.training.evaluation_line import evaluation_line
from rankelastor.training.observers import Evaluation

if TYPE_CHECKING:
    from rankelastor.runs.result import RunResult
    from rankelastor.schema import SplitName

_SHOWN = ("auc", "gauc", "logloss", "calibration_ratio")
MEAN = "mean of members"


class EnsembleView:
    """Listener that shows the training of members: a line per evaluation, and what all have done together."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._sizes: dict[str, tuple[int, int]] = {}
        self._running: set[str] = set()

    def on_start(self, member: str, *, num_epochs: int, num_examples: int) -> None:
        """Begin the stage if no other member is trained now."""
        self._sizes[member] = num_epochs, num_examples
        if not self._running:
            self._bar.begin("training members", total=0, unit="examples")
        self._running.add(member)

    def on_examples(self, member: str, *, count: int, loss: float) -> None:
        """Advance the stage."""
        self._bar.advance(count, **{member: loss})

    def on_evaluation(self, member: str, evaluation: Evaluation) -> None:
        """Print a line with the metrics."""
        num_epochs, num_examples = self._sizes[member]
        line = evaluation_line(evaluation, num_epochs=num_epochs, num_examples=num_examples)
        self._bar.say(f"{member}  {line}")

    def on_end(self, member: str) -> None:
        """End the stage if it was the last member."""
        self._running.discard(member)
        self._bar.say(f"{member}  finished")
        if not self._running:
            self._bar.end()


def result_members_table(result: RunResult) -> FittedTable:
    """Show the members of an ensemble in a result: the metrics of each, their mean, and those of the ensemble."""
    split: SplitName = "test" if "test" in result.metrics else "valid"
    members = {each.name: each.metrics[split] for each in result.members}
    is_calibrated = any(figures.kind != "none" for figures in result.calibrators.values())
    name = "ensemble, calibrated" if is_calibrated else "ensemble"
    return members_table(members, result.metrics[split], split, name=name)


def members_table(
    members: Mapping[str, Mapping[str, Any]], ensemble: Mapping[str, Any], split: str, *, name: str = "ensemble"
) -> FittedTable:
    """Show the metrics of each member of an ensemble, their mean, and those of the ensemble."""
    names = [each for each in _SHOWN if each in ensemble]
    table = FittedTable(split, *(METRICS[each].title for each in names))
    for member, metrics in members.items():
        table.add_row(Text(member), *(format_metric(metrics.get(each)) for each in names))
    means = mean_of_members(list(members.values()))
    table.add_section()
    table.add_row(MEAN, *(format_metric(means.get(each)) for each in names))
    table.add_row(name, *(format_metric(ensemble.get(each)) for each in names))
    return table


def mean_of_members(members: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Compute the mean of each metric that all members have.

    Example:
        >>> mean_of_members([{"auc": 0.5, "logloss": 0.4}, {"auc": 0.75}])
        {'auc': 0.625}
    """
    first = members[0] if members else {}
    return {
        name: round(fmean(float(metrics[name]) for metrics in members), 6)
        for name in METRICS
        if name in first and all(name in metrics for metrics in members) and isinstance(first[name], float)
    }

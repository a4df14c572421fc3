"""What `tune` shows: a bar for each epoch, a line for each trial, and a table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rankelastor.cli.fitted_table import FittedTable
from rankelastor.cli.progress import Bar
from rankelastor.cli.training_view import TrainingView
from rankelastor.progress import format_duration
from rankelastor.training.observers import Evaluation, TrainingObserver
from rankelastor.tuning.record import TrialRecord, ranked

_SHOWN = ("auc", "logloss", "gauc")


class TuneView:
    """Listener of a tuning."""

    def __init__(self, bar: Bar, *, num_trials: int) -> None:
        self._bar, self._num_trials = bar, num_trials

    def observers(self, index: int) -> Sequence[TrainingObserver]:
        """Return an observer that moves the bar."""
        return [QuietTraining(self._bar, label=f"trial {index + 1}/{self._num_trials}")]

    def on_trial(self, record: TrialRecord, best: TrialRecord | None) -> None:
        """Print the line of a trial that is over."""
        self._bar.end()
        self._bar.say(trial_line(record, best, num_trials=self._num_trials))


class QuietTraining(TrainingView):
    """The view of a training without a line for each evaluation."""

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """End the bar of the epoch."""
        del evaluation
        self._bar.end()


def trial_line(record: TrialRecord, best: TrialRecord | None, *, num_trials: int) -> str:
    """Describe a trial in one line.

    Example:
        >>> record = TrialRecord(1, "finished", {"model.ffn.dropout": 0.1}, 0.7, {"auc": 0.7}, 3, 12.0)
        >>> trial_line(record, record, num_trials=8)
        'trial 2/8  auc 0.700000  3 evaluations, 12.0 s  ffn.dropout=0.1  (the best so far)'
    """
    parts = [f"trial {record.index + 1}/{num_trials}"]
    if record.state in {"does not fit", "diverged"}:
        parts.append(f"{record.state}: {record.reason}")
    else:
        parts.append(", ".join(f"{name} {record.metrics[name]:.6f}" for name in _SHOWN if name in record.metrics))
        parts.append(f"{record.epochs} evaluations, {format_duration(record.seconds)}")
    parts.append(
        ", ".join(f"{_short(name)}={value}" for name, value in record.drawn.items()) or "the recipe as it stands"
    )
    if record.state == "pruned":
        parts.append("(stopped early)")
    elif best is not None and best.index == record.index:
        parts.append("(the best so far)")
    return "  ".join(parts)


def trials_table(trials: Sequence[TrialRecord]) -> FittedTable:
    """Make the table of the trials, the best first, then those without a result."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.drawn))
    metrics = [name for name in _SHOWN if any(name in trial.metrics for trial in trials)]
    table = FittedTable("trial", "state", *(f"valid {name}" for name in metrics), *map(_short, names), "s", left=2)
    best = ranked(trials)
    for trial in [*best, *(trial for trial in trials if trial not in best)]:
        figures = [_figure(trial.metrics.get(name)) for name in metrics]
        drawn = [_value(trial.drawn[name]) if name in trial.drawn else "" for name in names]
        table.add_row(str(trial.index), _state(trial), *figures, *drawn, f"{trial.seconds:.1f}")
    return table


def _state(trial: TrialRecord) -> str:
    return "as it stands" if trial.state == "finished" and not trial.drawn else trial.state


def _short(name: str) -> str:
    """Shorten the name of a draw to the last parts of its paths.

    Example:
        >>> _short("training.optimiser.learning_rate"), _short("model.tokenizer.dropout, model.ffn.dropout")
        ('learning_rate', 'dropout')
    """
    first = name.split(",", maxsplit=1)[0].strip().split(".")
    return first[-1] if "," in name or first[0] == "training" else ".".join(first[1:])


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figure(value: Any) -> str:
    return f"{value:.6f}" if isinstance(value, int | float) else ""

"""The result of a finished run, as typed values and as ``result.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from html import escape
from pathlib import PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rankelastor.alarms.alarm import Alarm
from rankelastor.config.execution import ExecutorName, Precision
from rankelastor.errors import RunError
from rankelastor.html_table import html_table
from rankelastor.models.cost import Cost
from rankelastor.schema import SPLITS, SplitName

MetricValues = Mapping[str, Any]
"""Metrics of a split by name, see ``Metrics.as_dict``; metrics that are not defined for the data are left out."""


@dataclass(frozen=True)
class UnseenFigures:
    """Figures on the values of a split that training has not seen.

    Attributes:
        num_examples: number of examples with at least one unseen value.
        share_of_examples: their share of all examples.
        share_by_field: share of the values of each field that are unseen.
        fields_left_out: fields whose blanks are out of vocabulary, too, so that unseen values cannot be distinguished.
        auc: AUC of the examples with an unseen value; None if they have one label only.
        tasks: with several tasks, the AUC of each, or why there is none.
    """

    num_examples: int
    share_of_examples: float
    share_by_field: Mapping[str, float]
    fields_left_out: tuple[str, ...]
    auc: float | None = None
    tasks: Mapping[str, MetricValues] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON; None is left out."""
        return _drop_none(asdict(self)) | {"fields_left_out": list(self.fields_left_out)}


@dataclass(frozen=True)
class ProbabilityFigures:
    """The distribution of the probabilities of some rows.

    Attributes:
        num_rows: number of rows.
        mean: mean probability, in which every row counts once.
        minimum: smallest probability.
        maximum: largest probability.
        quantiles: probability by level (``"0.5"`` is the median), whose odds are right to .2 %.
    """

    num_rows: int
    mean: float
    minimum: float
    maximum: float
    quantiles: Mapping[str, float]


@dataclass(frozen=True)
class BaselineFigures:
    """Metrics of logistic regression beside those of the ranker on the same rows of valid.

    Attributes:
        num_train_rows: number of sampled train rows that it was trained on.
        num_valid_rows: number of sampled valid rows that both were measured on.
        metrics: its metrics, see ``Metrics.as_dict``.
        ranker: metrics of the ranker on those rows.
    """

    num_train_rows: int
    num_valid_rows: int
    metrics: Mapping[str, Any]
    ranker: Mapping[str, Any]


@dataclass(frozen=True)
class CalibrationFigures:
    """Calibration of a split before and after logits were corrected and calibrated.

    Attributes:
        logit_shift: what was added to each logit for thinned negatives and weighted positives.
        before: calibration metrics without it, see ``Metrics.as_dict``; of a calibrated run also AUC and logloss.
        after: the same metrics with it and calibrated, which are among the metrics of the split, too.
        corrected: the same metrics with ``logit_shift`` alone; None where nothing was added or nothing calibrated.
    """

    logit_shift: float
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    corrected: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON; None is left out."""
        return _drop_none(asdict(self))


@dataclass(frozen=True)
class CalibratorFigures:
    """The calibrator of one task, fitted on the valid split.

    Attributes:
        kind: ``platt``, ``isotonic``, ``temperature``, ``offset``, ``shrunk``, or ``none``, which changes nothing.
        num_positive: rows of valid with label 1 and a weight above 0.
        num_negative: those with label 0.
        reason: why it is not what the recipe asks for; None if it is.
        slope: what logits are multiplied by; None of a step function and of ``none``.
        offset: what is added then.
        held_out_before: logloss of held-out rows of valid in nats without calibration; None if ``auto`` was not asked.
        held_out_after: their logloss when they are calibrated by what is fitted on the other rows.
    """

    kind: str
    num_positive: int
    num_negative: int
    reason: str | None = None
    slope: float | None = None
    offset: float | None = None
    held_out_before: float | None = None
    held_out_after: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON; None is left out."""
        return _drop_none(asdict(self))


@dataclass(frozen=True)
class Speed:
    """Speed and memory of a training.

    Attributes:
        dense_flops_per_second: training FLOPs per example (``Cost``) times examples per second of the training epochs,
            including waiting for data and without evaluations.
        machine_peak_flops_per_second: FLOP/s of a large matrix product on this device in this precision.
        share_of_machine_peak: the first over the second.
        peak_memory_bytes: peak resident memory of the process so far; None if the system does not report it.
        peak_device_memory_bytes: peak memory that PyTorch has allocated on a CUDA device; None on a CPU.
        forecast_memory_bytes: what the training was expected to hold at its peak, on the device if that is not a CPU;
            None in older results.
    """

    dense_flops_per_second: int
    machine_peak_flops_per_second: int
    share_of_machine_peak: float
    peak_memory_bytes: int | None = None
    peak_device_memory_bytes: int | None = None
    forecast_memory_bytes: int | None = None

    def as_dict(self) -> dict[str, float | int]:
        """Convert to plain values for JSON; None is left out."""
        return _drop_none(asdict(self))


@dataclass(frozen=True)
class ProcessFigures:
    """Several processes that trained together, as the first of them saw it.

    Attributes:
        number: number of processes.
        exchange_seconds: time of the training steps in which it exchanged gradients with others, or waited for them.
        bytes_per_step: bytes of its own that it gave the others at a step, by kind; of sharded rows also what it keeps
            for itself, one part of as many as there are processes.
        plan: how each sharded table is divided, by the name of its field; None if rows are replicated.
    """

    number: int
    exchange_seconds: float
    bytes_per_step: Mapping[str, int]
    plan: Mapping[str, str] | None = None


@dataclass(frozen=True)
class MemberFigures:
    """The figures of one member of an ensemble.

    Attributes:
        folder: its run folder, relative to that of the ensemble.
        model: kind of the model.
        seed: seed of its training.
        metrics: its metrics by split, not calibrated.
        best_epoch: epoch with the best evaluation.
        epochs: number of epochs trained.
        seconds: wall time of its training.
    """

    folder: str
    model: str
    seed: int
    metrics: Mapping[SplitName, MetricValues]
    best_epoch: int
    epochs: int
    seconds: float

    @property
    def name(self) -> str:
        """Name of its folder."""
        return PurePosixPath(self.folder).name


@dataclass(frozen=True)
class RunResult:
    """The result of a finished run.

    Of an ensemble, costs, steps and examples per second are sums over the members, the epochs are those of the member
    that took most, and executor, precision and speed are those of the first.

    Attributes:
        recipe: name of the recipe.
        model: kind of the model.
        seed: seed of the training.
        metrics: metrics by split, with the weights of the best evaluation; ``valid`` and ``test`` return one split.
        unseen: figures on unseen values by split.
        cost: parameters and FLOPs.
        best_epoch: epoch with the best evaluation, counted from 1.
        epochs: number of epochs trained.
        steps: number of optimiser steps.
        examples_per_second: training speed, without evaluations.
        data_wait_share: share of the training time spent waiting for batches.
        compiled: whether the steps ran compiled code.
        precision: precision of the matrix products.
        speed: FLOP/s relative to the machine's peak, and memory.
        seconds: wall time of the run, including preparation.
        executor: how the steps were computed; None in a result of version 0.1.0, which did not record it.
        baseline: metrics of logistic regression on valid, and of the ranker on the same rows; None without a baseline.
        calibration: calibration by split before and after logits were corrected and calibrated; empty if neither was.
        calibrators: the calibrator of each task; empty if the recipe asks for none.
        predictions: distribution of the probabilities by split and by task.
        alarms: what is likely wrong, see ``rankelastor.alarms``.
        members: the members of an ensemble; empty for a single run.
        skipped_steps: number of steps that were left out because their loss was not finite.
        processes: the processes that trained together; None of a single one.
        kernels: what the kernels were compiled for and what multiplied matrices in them; None where none was used.
        threads: number of CPU threads, and why it is this one; None in older results.
        slice_examples: most examples of a slice, whose gradients were added up; None where batches were not cut.
        protocol_differences: in words, what was done otherwise than in the published protocol because embedding rows
            are sharded; empty otherwise.

    Example:
        >>> from rankelastor.runs.run_folder import RunFolder
        >>> # RunFolder.open("runs/frappe-rankelastor").result().test["auc"]
    """

    recipe: str
    model: str
    seed: int
    metrics: Mapping[SplitName, MetricValues]
    unseen: Mapping[SplitName, UnseenFigures]
    cost: Cost
    best_epoch: int
    epochs: int
    steps: int
    examples_per_second: float
    data_wait_share: float
    compiled: bool
    precision: Precision
    speed: Speed
    seconds: float
    executor: ExecutorName | None = field(default=None)
    baseline: BaselineFigures | None = None
    calibration: Mapping[SplitName, CalibrationFigures] = field(default_factory=dict)
    calibrators: Mapping[str, CalibratorFigures] = field(default_factory=dict)
    predictions: Mapping[SplitName, Mapping[str, ProbabilityFigures]] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()
    members: tuple[MemberFigures, ...] = ()
    skipped_steps: int = 0
    processes: ProcessFigures | None = None
    kernels: str | None = None
    slice_examples: int | None = None
    threads: str | None = None
    protocol_differences: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """Model, AUC of each split, best epoch and wall time in one line."""
        aucs = [f"{split} AUC {values['auc']:.6f}" for split, values in self.metrics.items() if "auc" in values]
        if self.members:
            return ", ".join([f"ensemble of {len(self.members)} {self.model}", *aucs, f"{self.seconds:.1f} s"])
        epoch = f"best epoch {self.best_epoch} of {self.epochs}"
        return ", ".join([self.model, *aucs, epoch, f"{self.seconds:.1f} s"])

    def __repr__(self) -> str:
        return f"RunResult({self.recipe!r}, seed {self.seed}, {self.summary})"

    def _repr_html_(self) -> str:
        splits = [split for split in SPLITS if split in self.metrics]
        names = list(dict.fromkeys(name for split in splits for name in self.metrics[split]))
        rows = [[name, *(_shown(self.metrics[split].get(name)) for split in splits)] for name in names]
        figures = [row for row in rows if any(row[1:])]
        table = html_table(["metric", *splits], figures, caption=f"{self.recipe}: {self.summary}")
        return table + "".join(f"<p>⚠ {escape(alarm.message)}</p>" for alarm in self.alarms)

    @property
    def valid(self) -> MetricValues:
        """Metrics of the valid split."""
        return self.metrics["valid"]

    @property
    def test(self) -> MetricValues:
        """Metrics of the test split.

        Raises:
            RunError: the data have no test split.
        """
        if "test" not in self.metrics:
            raise RunError(f"the data of {self.recipe} must have a test split, but have none; try .valid")
        return self.metrics["test"]

    def as_dict(self) -> dict[str, Any]:
        """Convert to the contents of ``result.json``, where the metrics of each split are under its name."""
        values: dict[str, Any] = {
            "recipe": self.recipe,
            "model": self.model,
            "seed": self.seed,
            **{split: dict(self.metrics[split]) for split in SPLITS if split in self.metrics},
            "unseen": {split: figures.as_dict() for split, figures in self.unseen.items()},
            "cost": asdict(self.cost),
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "steps": self.steps,
            "skipped_steps": self.skipped_steps or None,
            "examples_per_second": self.examples_per_second,
            "data_wait_share": self.data_wait_share,
            "compiled": self.compiled,
            "executor": self.executor,
            "kernels": self.kernels,
            "slice_examples": self.slice_examples,
            "threads": self.threads,
            "precision": self.precision,
            "speed": self.speed.as_dict(),
            "seconds": self.seconds,
            "baseline": None if self.baseline is None else asdict(self.baseline),
            "calibration": {split: figures.as_dict() for split, figures in self.calibration.items()} or None,
            "calibrators": {task: figures.as_dict() for task, figures in self.calibrators.items()} or None,
            "predictions": {
                split: {task: asdict(figures) for task, figures in by_task.items()}
                for split, by_task in self.predictions.items()
            }
            or None,
            "alarms": [alarm.as_dict() for alarm in self.alarms],
            "members": [asdict(member) for member in self.members] or None,
            "processes": None if self.processes is None else asdict(self.processes),
            "protocol_differences": list(self.protocol_differences) or None,
        }
        return _drop_none(values)


def read_result(text: str, *, source: str) -> RunResult:
    """Read a result from the text of ``result.json``; results of version 0.1.0 have no executor.

    Args:
        text: contents of ``result.json``.
        source: name of the file in messages.

    Raises:
        RunError: the text is not JSON, or a value is missing or wrong.
    """
    try:
        values = json.loads(text)
        metrics = {split: values[split] for split in SPLITS if split in values}
        result = _reader().validate_python(values | {"metrics": metrics})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(key) for key in first["loc"])
        raise RunError(f"{source} must hold the result of a run, but {place}: {first['msg'].lower()}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise RunError(f"{source} must hold a JSON mapping, but does not: {error}") from None
    if "valid" not in result.metrics:
        raise RunError(f"{source} must hold the result of a run, but valid: field required")
    return result


@cache
def _reader() -> TypeAdapter[RunResult]:
    """Make what checks a result, when one is read: a training writes one and need not."""
    return TypeAdapter(RunResult)


def _shown(figure: object) -> str:
    if isinstance(figure, int):
        return f"{figure:,}"
    return f"{figure:.6f}" if isinstance(figure, float) else ""


def _drop_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

"""What a finished run came to: ``result.json``, typed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rankelastor.config.execution import ExecutorName, Precision
from rankelastor.errors import RunError
from rankelastor.models.cost import Cost
from rankelastor.schema import SPLITS, SplitName

MetricValues = Mapping[str, Any]
"""Metrics of a split by name, see ``Metrics.as_dict``; those that the data do not give are left out."""


@dataclass(frozen=True)
class UnseenFigures:
    """How much of a split training has not seen.

    Attributes:
        num_examples: rows that hold at least one unseen value.
        share_of_examples: of all rows.
        share_by_field: for each field the share of its values that is unseen.
        fields_left_out: fields whose blanks are out of vocabulary too, so that unseen values cannot be told from them.
        auc: of the rows that hold an unseen value; None where they have one label only.
        tasks: with several tasks, the AUC of each.
    """

    num_examples: int
    share_of_examples: float
    share_by_field: Mapping[str, float]
    fields_left_out: tuple[str, ...]
    auc: float | None = None
    tasks: Mapping[str, Mapping[str, float]] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give plain values for JSON; what is not known is left out."""
        return _known(asdict(self)) | {"fields_left_out": list(self.fields_left_out)}


@dataclass(frozen=True)
class Speed:
    """Speed and memory of a training.

    Attributes:
        dense_flops_per_second: training FLOPs per example (``Cost``) times examples per second of the training epochs,
            waiting for data included and evaluations left out.
        machine_peak_flops_per_second: of a large matrix product on this device in this precision.
        share_of_machine_peak: the one over the other.
        peak_memory_bytes: the most that the process has held resident so far; None where the system does not tell.
        peak_device_memory_bytes: the most that PyTorch has held allocated on a CUDA device; None on a CPU.
    """

    dense_flops_per_second: int
    machine_peak_flops_per_second: int
    share_of_machine_peak: float
    peak_memory_bytes: int | None = None
    peak_device_memory_bytes: int | None = None

    def as_dict(self) -> dict[str, float | int]:
        """Give plain values for JSON; what is not known is left out."""
        return _known(asdict(self))


@dataclass(frozen=True)
class RunResult:
    """The result of a finished run.

    Attributes:
        recipe: its name.
        model: kind of the model.
        seed: of the training.
        metrics: by split, with the weights of the best evaluation; ``valid`` and ``test`` give one of them.
        unseen: by split.
        cost: parameters and FLOPs.
        best_epoch: the epoch after which the best weights were kept, counted from 1.
        epochs: number of epochs trained.
        steps: number of optimiser steps.
        examples_per_second: of the training steps, evaluations left out.
        data_wait_share: share of that time spent waiting for batches.
        compiled: whether the steps ran compiled code.
        precision: of the matrix products.
        speed: against what the machine can do.
        seconds: wall time from the call to the result, preparation included.
        executor: what computed the steps; None in a result of version 0.1.0, which did not say.

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

    @property
    def valid(self) -> MetricValues:
        """Metrics of the valid split."""
        return self.metrics["valid"]

    @property
    def test(self) -> MetricValues:
        """Metrics of the test split.

        Raises:
            RunError: the data have none.
        """
        if "test" not in self.metrics:
            raise RunError(f"the data of {self.recipe} must have a test split to be tested, but have none; see .valid")
        return self.metrics["test"]

    def as_dict(self) -> dict[str, Any]:
        """Give the contents of ``result.json``: each split's metrics stand under its name."""
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
            "examples_per_second": self.examples_per_second,
            "data_wait_share": self.data_wait_share,
            "compiled": self.compiled,
            "executor": self.executor,
            "precision": self.precision,
            "speed": self.speed.as_dict(),
            "seconds": self.seconds,
        }
        return _known(values)


def read_result(text: str, *, source: str) -> RunResult:
    """Read what ``RunResult.as_dict`` gave, as JSON; results of version 0.1.0 have no executor.

    Args:
        text: of ``result.json``.
        source: the file that messages name.

    Raises:
        RunError: it is no JSON, or a value is missing or wrong.
    """
    try:
        values = json.loads(text)
        metrics = {split: values[split] for split in SPLITS if split in values}
        result = _RESULT.validate_python(values | {"metrics": metrics})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(key) for key in first["loc"])
        raise RunError(f"{source} must hold the result of a run, but {place}: {first['msg'].lower()}") from None
    except (ValueError, TypeError) as error:
        raise RunError(f"{source} must hold a JSON mapping, but does not: {error}") from None
    if "valid" not in result.metrics:
        raise RunError(f"{source} must hold the result of a run, but valid: field required")
    return result


_RESULT = TypeAdapter(RunResult)


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

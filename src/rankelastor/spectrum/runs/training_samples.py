"""Samples of the rank during training: one line of JSON per sample in the run folder's ``spectrum/samples.jsonl``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rankelastor.errors import RunError
from rankelastor.storage import explain_storage_errors, whole_file

SAMPLES_FILE = Path("spectrum") / "samples.jsonl"
"""Path relative to the run folder."""


@dataclass(frozen=True)
class StageSample:
    """Measures of one stage in one sample.

    Attributes:
        max_possible_rank: min(T, D).
        num_not_finite: number of examples with a NaN or an infinite activation; excluded from the means.
        means: mean over the examples' token matrices, by measure; a measure without a value is left out.
        standard_errors: standard errors of these means; left out for fewer than two values.
        half_widths: half-widths of the 95 % intervals over seeds, where this is a mean over several runs; else empty.
    """

    max_possible_rank: int
    num_not_finite: int
    means: dict[str, float]
    standard_errors: dict[str, float]
    half_widths: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingSample:
    """Measures of all stages at one step, over ``num_examples`` examples of its training forward pass (dropout on)."""

    epoch: int
    step: int
    num_examples: int
    stages: dict[str, StageSample]

    def as_json(self) -> str:
        """Convert to a line of JSON, without its end."""
        stages = {name: vars(stage) for name, stage in self.stages.items()}
        return json.dumps(vars(self) | {"stages": stages}, allow_nan=False)


def append_sample(run_folder: Path, sample: TrainingSample) -> None:
    """Append one line to the run's samples."""
    path = run_folder / SAMPLES_FILE
    with explain_storage_errors(path):
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{sample.as_json()}\n")


def cut_samples(run_folder: Path, *, last_step: int) -> None:
    """Remove the samples of steps after ``last_step``, which a resumed training takes again.

    Raises:
        RunError: a line is not a valid sample.
    """
    samples = read_samples(run_folder)
    if not (run_folder / SAMPLES_FILE).is_file():
        return
    with whole_file(run_folder / SAMPLES_FILE) as temporary:
        kept = [sample.as_json() for sample in samples if sample.step <= last_step]
        temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def read_samples(run_folder: Path) -> tuple[TrainingSample, ...]:
    """Read the run's samples in the order of training; empty if the run was not sampled.

    A last line without a line end, as left by a killed run, is ignored.

    Raises:
        RunError: a line is not a valid sample.
    """
    path = run_folder / SAMPLES_FILE
    if not path.is_file():
        return ()
    *lines, _unfinished = path.read_text(encoding="utf-8").split("\n")
    reader = TypeAdapter(TrainingSample)
    samples = []
    for number, line in enumerate(lines, start=1):
        try:
            samples.append(reader.validate_json(line))
        except ValidationError as error:
            what = error.errors()[0]["msg"]
            raise RunError(f"{path} line {number} must be a sample, but {what}; try removing the line") from None
    return tuple(samples)

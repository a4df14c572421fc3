"""The rank while training, as sampled: one line of JSON a sample in the run folder's ``spectrum/samples.jsonl``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rankelastor.errors import RunError
from rankelastor.storage import explain_storage_errors

SAMPLES_FILE = Path("spectrum") / "samples.jsonl"
"""Below the run folder."""


@dataclass(frozen=True)
class StageSample:
    """One stage in one sample.

    Attributes:
        max_possible_rank: min(T, D).
        num_not_finite: examples with a NaN or an infinite activation; they are in no mean.
        means: of each example's token matrix, by measure; a measure without a value is left out.
        standard_errors: of these means; left out for fewer than two values.
    """

    max_possible_rank: int
    num_not_finite: int
    means: dict[str, float]
    standard_errors: dict[str, float]


@dataclass(frozen=True)
class TrainingSample:
    """All stages at one step: ``num_examples`` of its batch, as the training forward pass saw them (with dropout)."""

    epoch: int
    step: int
    num_examples: int
    stages: dict[str, StageSample]


def append_sample(run_folder: Path, sample: TrainingSample) -> None:
    """Add one line to the run's samples."""
    path = run_folder / SAMPLES_FILE
    with explain_storage_errors(path):
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(sample), allow_nan=False) + "\n")


def read_samples(run_folder: Path) -> tuple[TrainingSample, ...]:
    """The run's samples in the order of training; none where it was not sampled.

    A last line without an end, as a killed run leaves it, is not read.

    Raises:
        RunError: a line is no sample.
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

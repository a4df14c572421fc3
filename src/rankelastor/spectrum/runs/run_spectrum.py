"""The spectrum of one trained run, as shown in the report."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from html import escape

from pydantic import TypeAdapter

from rankelastor.spectrum.recording.statistics import MatrixMeasures, Recording
from rankelastor.spectrum.runs.mixing_map import MixingMap
from rankelastor.spectrum.runs.sampled_steps import EveryStep
from rankelastor.spectrum.runs.training_samples import TrainingSample
from rankelastor.spectrum.stages import StageMatrix
from rankelastor.spectrum.trajectory import Trajectory
from rankelastor.spectrum.verdict import TrajectoryVerdict, verdict

_SHOWN = "stable_rank"
"""The measure that notebooks show."""


@dataclass(frozen=True)
class EmbeddingTable:
    """Measures of the embedding table of one field (vocabulary x e).

    Attributes:
        field: name of the field.
        num_known_values: size of the vocabulary; the table has one more row for values out of vocabulary.
        num_occurrences: number of occurrences of known values in the train split.
        spectrum: measures of the table without its padding row.
    """

    field: str
    num_known_values: int
    num_occurrences: int
    spectrum: MatrixMeasures


@dataclass(frozen=True)
class SeedRun:
    """One run of a group of runs that differ by their seed."""

    name: str
    folder: str
    seed: int | None
    test_auc: float | None


@dataclass(frozen=True)
class RunSpectrum:
    """The spectrum of one run's best weights over examples of one split; or of several runs, see `over_seeds`.

    Attributes:
        name: name of the run folder, with parent folders where needed to distinguish the runs of a report.
        folder: the run folder; empty for a model of one's own.
        model: kind of the model.
        split: the recorded split; empty for a model of one's own.
        num_examples: number of recorded examples.
        test_auc: test AUC of the run's result; None if there is no result.
        dense_parameters: number of dense parameters in the run's result; None if there is no result.
        recording: statistics by point.
        stages: names of the trajectory's points, in order; empty for a model without points. Further points of the
            recording were requested by the user.
        trajectories: trajectory of each measure; empty if there is none.
        verdicts: summary of each trajectory, by measure.
        tables: measures of the embedding tables, by field.
        mixings: maps of the mixings that have a matrix.
        samples: the rank during training; empty if it was not sampled.
        problems: problems with the run or its activations, in words.
        matrix: the matrix of the trajectories.
        seed: seed of the training; None for several runs or where it is unknown.
        every_steps: the run's setting ``spectrum.every_steps``.
        num_steps: number of training steps; None if there is no result.
        seeds: the runs of which this is the mean; empty for one run.
    """

    name: str
    folder: str
    model: str
    split: str
    num_examples: int
    test_auc: float | None
    dense_parameters: int | None
    recording: Recording
    stages: tuple[str, ...]
    trajectories: dict[str, Trajectory]
    verdicts: dict[str, TrajectoryVerdict]
    tables: tuple[EmbeddingTable, ...]
    mixings: tuple[MixingMap, ...]
    samples: tuple[TrainingSample, ...]
    problems: tuple[str, ...]
    matrix: StageMatrix = "example"
    seed: int | None = None
    every_steps: EveryStep = None
    num_steps: int | None = None
    seeds: tuple[SeedRun, ...] = ()

    def named(self, name: str) -> RunSpectrum:
        """Copy the spectrum under another name, which its figures and sentences then have."""
        paths = {measure: replace(path, name=name) for measure, path in self.trajectories.items()}
        verdicts = {measure: verdict(path) for measure, path in paths.items()}
        return replace(self, name=name, trajectories=paths, verdicts=verdicts)

    def _repr_html_(self) -> str:
        sentences = [*self.problems, *(self.verdicts[_SHOWN].sentences if _SHOWN in self.verdicts else ())]
        table = self.trajectories[_SHOWN]._repr_html_() if _SHOWN in self.trajectories else ""
        return table + "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)

    def to_json(self) -> str:
        """Serialise to JSON; `from_json` reads it back."""
        return json.dumps(asdict(self), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> RunSpectrum:
        """Read and validate a spectrum that `to_json` wrote."""
        return TypeAdapter(RunSpectrum).validate_json(text)

"""All that is known of the spectrum of one trained run: what the report shows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter

from rankelastor.spectrum.recording.statistics import MatrixMeasures, Recording
from rankelastor.spectrum.runs.mixing_map import MixingMap
from rankelastor.spectrum.runs.training_samples import TrainingSample
from rankelastor.spectrum.trajectory import Trajectory
from rankelastor.spectrum.verdict import Verdict


@dataclass(frozen=True)
class EmbeddingTable:
    """The embedding table of one field (vocabulary x e).

    Attributes:
        field: its name.
        num_known_values: values with a row of their own; one more row is for all values out of vocabulary.
        num_occurrences: how often the train split holds a known value of the field.
        spectrum: measures of its rows, the padding row left out.
    """

    field: str
    num_known_values: int
    num_occurrences: int
    spectrum: MatrixMeasures


@dataclass(frozen=True)
class RunSpectrum:
    """The spectrum of one run's best weights over examples of one split.

    Attributes:
        name: of the run folder; made longer where two runs of a report share it.
        folder: the run folder.
        model: kind of the model.
        split: which rows.
        num_examples: how many of them were recorded.
        test_auc: from the run's result; None where it has none.
        dense_parameters: from the run's result; None where it has none.
        recording: by point.
        stages: the points of the trajectory, in order; none for a model without points. Other points were asked for.
        trajectories: by measure; empty where there is none.
        verdicts: by measure.
        tables: embedding tables by field.
        mixings: the mixings that have a matrix.
        samples: the rank while training; empty where it was not sampled.
        problems: what is wrong with the run or its activations, in words.
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
    verdicts: dict[str, Verdict]
    tables: tuple[EmbeddingTable, ...]
    mixings: tuple[MixingMap, ...]
    samples: tuple[TrainingSample, ...]
    problems: tuple[str, ...]

    def to_json(self) -> str:
        """JSON text that `from_json` reads back."""
        return json.dumps(asdict(self), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> RunSpectrum:
        """The spectrum that `to_json` wrote; its parts are checked."""
        return TypeAdapter(RunSpectrum).validate_json(text)

"""Watch a prediction: count what is predicted and what is unseen, and compare it with valid."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float64
from numpy import ndarray

from rankelastor.alarms.alarm import Alarm
from rankelastor.alarms.facts import Facts, ScoreFacts, UnseenFacts
from rankelastor.alarms.table import sound
from rankelastor.data.raw.rows import RawRows
from rankelastor.evaluation.alarm_facts import unseen_facts
from rankelastor.evaluation.distribution import ProbabilityCounter
from rankelastor.evaluation.unseen import UnseenValues
from rankelastor.evaluation.unseen_in_rows import UnseenInRows
from rankelastor.metrics.report import DECIMALS
from rankelastor.runs.load import LoadedRun, ValidReference
from rankelastor.runs.result import ProbabilityFigures
from rankelastor.schema import Batch
from rankelastor.storage import whole_file


@dataclass(frozen=True)
class PredictionReport:
    """A summary of a prediction beside that of the valid split.

    Attributes:
        num_rows: number of rows.
        predictions: distribution of the probabilities by task; empty without rows.
        valid: that of valid when training ended; empty in runs of earlier versions.
        unseen: share of the values of each field that training has not seen.
        valid_unseen: that of valid.
        alarms: what is likely wrong.
    """

    num_rows: int
    predictions: Mapping[str, ProbabilityFigures]
    valid: Mapping[str, ProbabilityFigures]
    unseen: Mapping[str, float]
    valid_unseen: Mapping[str, float]
    alarms: tuple[Alarm, ...]

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {
            "num_rows": self.num_rows,
            "predictions": {task: asdict(figures) for task, figures in self.predictions.items()},
            "valid": {task: asdict(figures) for task, figures in self.valid.items()},
            "unseen": {
                name: {"share": round(share, DECIMALS), "valid": self.valid_unseen.get(name)}
                for name, share in self.unseen.items()
            },
            "alarms": [alarm.as_dict() for alarm in self.alarms],
        }

    def write(self, file: str | Path) -> None:
        """Write the report as JSON, whole or not at all.

        Raises:
            StorageError: the file cannot be written.
        """
        with whole_file(Path(file)) as temporary:
            temporary.write_text(json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")


class PredictionWatch:
    """A counter of raw rows as they are scored, in bounded memory.

    Args:
        run: the run that scores.
        where: name of the rows in messages, such as that of their file.
    """

    def __init__(self, run: LoadedRun, *, where: str) -> None:
        self._run = run
        self._where = where
        self._counter = ProbabilityCounter(run.encoder.schema.tasks)
        self._unseen = UnseenInRows(run.encoder.manifest, keep_rows=False)
        self._num_rows = 0

    def add(self, rows: RawRows, batch: Batch, probability: Float64[ndarray, "row task"]) -> None:
        """Count some rows: as they were read, as they were encoded, and their probabilities."""
        self._num_rows += rows.num_rows
        self._counter.add(probability)
        self._unseen.add(rows, batch)

    def report(self) -> PredictionReport:
        """Summarise all rows added, and judge them."""
        figures, unseen = self._counter.figures(), self._unseen.total()
        valid = self._run.valid_reference()
        return PredictionReport(
            num_rows=self._num_rows,
            predictions=figures,
            valid={} if valid is None else valid.predictions,
            unseen=unseen.share_by_field,
            valid_unseen={} if valid is None else valid.share_by_field,
            alarms=sound([*self._score_facts(figures, valid), *self._unseen_facts(unseen, valid)]),
        )

    def _score_facts(self, figures: Mapping[str, ProbabilityFigures], valid: ValidReference | None) -> list[Facts]:
        reference = {} if valid is None else valid.predictions
        return [
            ScoreFacts(
                where=self._where,
                task=task if len(figures) > 1 else None,
                num_rows=of_task.num_rows,
                lowest=of_task.minimum,
                highest=of_task.maximum,
                mean=of_task.mean,
                valid_mean=reference[task].mean if task in reference else None,
            )
            for task, of_task in figures.items()
        ]

    def _unseen_facts(self, unseen: UnseenValues, valid: ValidReference | None) -> list[UnseenFacts]:
        return unseen_facts(
            self._where,
            unseen,
            valid_shares=None if valid is None else valid.share_by_field,
            vocabularies=self._run.encoder.vocabularies,
            written=self._unseen.written,
        )

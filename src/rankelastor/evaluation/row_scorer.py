"""Score raw rows with a loaded run."""

from __future__ import annotations

from jaxtyping import Float64
from numpy import ndarray

from rankelastor.data.raw.rows import RawRows
from rankelastor.evaluation.scoring import Scorer
from rankelastor.runs.load import LoadedRun
from rankelastor.schema import Batch


class RowScorer:
    """Compute the probabilities of raw rows, piece by piece, corrected for the odds of training and calibrated.

    Args:
        run: the run, whose encoder and ranker are used.
    """

    def __init__(self, run: LoadedRun) -> None:
        training = run.recipe.training
        self._encoder = run.encoder
        self._num_tasks = len(run.encoder.schema.tasks)
        self._scorer = Scorer(
            run.ranker,
            training.execution,
            batch_size=training.evaluation_batch_size,
            logit_shift=run.recipe.odds.logit_shift,
            calibration=run.calibration,
        )

    def __call__(self, rows: RawRows) -> Float64[ndarray, "row task"]:
        """Encode and score some rows.

        Raises:
            DataError: a column is missing or a cell is wrong.
            RunError: the ranker's logits are not all finite.
        """
        return self.score(self._encoder.encode(rows))

    def score(self, batch: Batch) -> Float64[ndarray, "row task"]:
        """Score rows that are encoded."""
        return self._scorer(batch).reshape(batch.num_examples, self._num_tasks)

    def close(self) -> None:
        """Stop the threads."""
        self._scorer.close()

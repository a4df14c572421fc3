"""Score raw rows with a loaded run."""

from __future__ import annotations

from jaxtyping import Float64
from numpy import ndarray

from rankelastor.data.raw.rows import RawRows
from rankelastor.evaluation.run_scorer import RunScorer
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
        self._scorer = RunScorer(run, batch_size=training.evaluation_batch_size)

    def __call__(self, rows: RawRows) -> Float64[ndarray, "row task"]:
        """Encode and score some rows.

        Raises:
            DataError: a column is missing or a cell is wrong.
            RunError: the ranker's logits are not all finite.
        """
        return self.score(self._encoder.encode(rows))

    def score(self, batch: Batch) -> Float64[ndarray, "row task"]:
        """Score rows that are encoded."""
        return self._scorer(batch)

    def with_members(self, batch: Batch) -> tuple[Float64[ndarray, "row task"], Float64[ndarray, "row member task"]]:
        """Score rows that are encoded, with each member of an ensemble, too."""
        return self._scorer.with_members(batch)

    def close(self) -> None:
        """Stop the threads."""
        self._scorer.close()

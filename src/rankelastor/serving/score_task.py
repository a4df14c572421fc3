"""Score encoded rows as a task: the run is loaded once in each process that gets such tasks."""

from __future__ import annotations

from functools import lru_cache

from jaxtyping import Float64
from numpy import ndarray

from rankelastor.evaluation.row_scorer import RowScorer
from rankelastor.runs.load import load_run
from rankelastor.schema import Batch


def score_batch(batch: Batch, run: str) -> Float64[ndarray, "row task"]:
    """Compute the probabilities of encoded rows by the run in a folder, on the device of this process.

    Raises:
        RunError: the run folder cannot be used, or logits are not finite.
    """
    return _scorer(run).score(batch)


@lru_cache(maxsize=1)
def _scorer(run: str) -> RowScorer:
    return RowScorer(load_run(run))

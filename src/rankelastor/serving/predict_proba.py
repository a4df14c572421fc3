"""Predict probabilities for a frame in memory."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.raw.frames import Frame, frame_rows
from rankelastor.evaluation.row_scorer import RowScorer
from rankelastor.execution.cores import borrowed_cores
from rankelastor.runs.load import LoadedRun, load_run


def predict_proba(run: LoadedRun | str | Path, frame: Frame) -> NDArray[np.float64]:
    """Compute the probability of each row of a frame of polars, pandas or Arrow.

    Unknown values are out of vocabulary; columns that the run does not read are ignored, labels too. The frame is read
    through Arrow's C stream interface, so that pandas need not be installed for others.

    Args:
        run: a loaded run, or its folder.
        frame: the rows, or a mapping of column names to lists. Its types count as those of a Parquet file do.

    Returns:
        One probability per row, float64 (row,); with several tasks (row, task), in the order of ``data.labels``.

    Example:
        >>> from rankelastor import predict_proba
        >>> # predict_proba("runs/frappe-rankelastor", polars.read_parquet("new.parquet"))

    Raises:
        RunError: the run folder cannot be used, or the ranker's logits are not all finite.
        DataError: the object is no frame, a column is missing, or a cell is wrong; the message names column and row.
    """
    loaded = run if isinstance(run, LoadedRun) else load_run(run)
    with borrowed_cores(loaded.recipe.training.execution.threads), closing(RowScorer(loaded)) as score:
        scores = np.concatenate([score(rows) for rows in frame_rows(frame)])
    return scores[:, 0] if scores.shape[1] == 1 else scores

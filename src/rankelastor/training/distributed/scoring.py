"""Score a split by several processes, each of which has a stretch of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from rankelastor.collectives.processes import Processes
from rankelastor.config.execution import ExecutionSettings
from rankelastor.evaluation.scoring import Examples, Predictions, score_split
from rankelastor.models.ranker import Ranker
from rankelastor.objectives.odds import Odds
from rankelastor.progress import ProgressListener


def score_together(
    ranker: Ranker,
    examples: Examples,
    execution: ExecutionSettings,
    *,
    tasks: Sequence[str],
    odds: Odds,
    processes: Processes,
    progress: ProgressListener | None = None,
) -> Predictions:
    """Score the examples of all processes: see ``score_split``.

    Returns:
        In the first process the predictions for all examples, in the order of ranks, so that metrics are exact; in
        others those for their own examples.

    Raises:
        RunError: the ranker's logits are not all finite, or another process is gone.
    """
    own = score_split(ranker, examples, execution, tasks=tasks, odds=odds, progress=progress)
    if processes.world.size == 1:
        return own
    found: dict[str, Any] = {
        name: _of_all(getattr(own, name), processes) for name in ("label", "probability", "group", "weight")
    }
    return replace(own, **found) if processes.world.is_first else own


def _of_all(values: ndarray[Any, Any] | None, processes: Processes) -> ndarray[Any, Any] | None:
    if values is None:
        return None
    every = processes.rows(torch.from_numpy(np.ascontiguousarray(values)), kind="scores")
    return np.concatenate([each.numpy() for each in every])

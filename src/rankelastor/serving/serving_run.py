"""A loaded run that scores frames."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rankelastor.data.raw.frames import Frame
from rankelastor.runs.load import LoadedRun
from rankelastor.runs.load import load_run as load_folder
from rankelastor.serving.predict_proba import predict_proba


@dataclass(frozen=True, repr=False)
class ServingRun(LoadedRun):
    """A loaded run with ``predict_proba``."""

    def predict_proba(self, frame: Frame) -> NDArray[np.float64]:
        """Compute the probability of each row of a frame of polars, pandas or Arrow: see ``predict_proba``.

        Raises:
            DataError: the object is no frame, a column is missing, or a cell is wrong.
            RunError: the ranker's logits are not all finite.
        """
        return predict_proba(self, frame)


def load_run(folder: str | Path, *, device: torch.device | None = None) -> ServingRun:
    """Load a run folder, also one that version 0.1.0 wrote, an ensemble, or a bundle.

    Args:
        folder: the run folder or the bundle.
        device: device of the ranker; None selects the one that the recipe's ``training.device`` means on this machine.

    Example:
        >>> from rankelastor import load_run
        >>> # load_run("runs/frappe-rankelastor").predict_proba(polars.read_csv("new.csv"))

    Raises:
        RunError: the folder is missing, has a newer format, has no weights, or has weights of another model.
        SettingsError: the recipe asks for CUDA, and this machine has none.
    """
    run = load_folder(folder, device=device)
    return ServingRun(**{each.name: getattr(run, each.name) for each in fields(run)})

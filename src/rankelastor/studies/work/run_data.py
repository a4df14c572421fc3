"""The data of a run of a study: the planted log, and the prepared folder, which runs share."""

from __future__ import annotations

from pathlib import Path

from rankelastor.data.planted.write import TRUTH_FILE, write_planted_log
from rankelastor.data.prepare import open_or_prepare
from rankelastor.progress import ProgressListener
from rankelastor.studies.plan.grid import PlannedRun


def prepare_data(run: PlannedRun, progress: ProgressListener | None) -> None:
    """Write the planted log of a run and prepare its data, unless that is done."""
    if run.log is not None and run.log_folder is not None and not is_written(run.log_folder):
        write_planted_log(run.log_folder, run.log)
    open_or_prepare(run.recipe.data, progress=progress)


def is_written(folder: Path) -> bool:
    """Tell whether a planted log is there and whole."""
    return (folder / TRUTH_FILE).is_file()

"""Train the ranker of a recipe: prepare the data if necessary, train, test, write a run folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankelastor.calibration.calibration import read_calibration
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepared import copy_feature_state
from rankelastor.data.raw.frames import Frame
from rankelastor.data.used_by import User, add_user
from rankelastor.execution.cores import borrowed_cores
from rankelastor.models.ranker import Ranker
from rankelastor.progress import ProgressListener, format_duration
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.environment import describe_environment
from rankelastor.runs.load import LoadedRun
from rankelastor.runs.result import RunResult
from rankelastor.runs.run_folder import RunFolder, default_run_folder
from rankelastor.runs.weights import load_weights, save_weights
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.storage import explain_storage_errors
from rankelastor.training.calibration import calibrate
from rankelastor.training.final_result import final_result
from rankelastor.training.inputs import RunInputs
from rankelastor.training.loop import fit
from rankelastor.training.observers import Evaluation, SilentObserver, TrainingObserver
from rankelastor.training.run_alarms import early_alarms
from rankelastor.training.speed import current_memory_bytes, speed_of
from rankelastor.training.train_log import TrainLog

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedRun:
    """A finished run: its folder, the ranker with the best weights in evaluation mode, and the result."""

    folder: Path
    ranker: Ranker
    result: RunResult

    def __repr__(self) -> str:
        return f"TrainedRun({str(self.folder)!r}, {self.result.summary})"

    def predict_proba(self, frame: Frame) -> NDArray[np.float64]:
        """Compute the probability of each row of a frame of polars, pandas or Arrow: see ``predict_proba``.

        Raises:
            DataError: the object is no frame, a column is missing, or a cell is wrong.
            RunError: the ranker's logits are not all finite.
        """
        return predict_proba(self._loaded, frame)

    @cached_property
    def _loaded(self) -> LoadedRun:
        run = RunFolder.open(self.folder)
        encoder = RowEncoder.load(run.features)
        return LoadedRun(
            folder=self.folder,
            recipe=run.recipe(),
            encoder=encoder,
            ranker=self.ranker,
            calibration=read_calibration(self.folder, tasks=encoder.schema.tasks),
        )


def train(
    recipe: Recipe,
    *,
    folder: str | Path | None = None,
    observers: Sequence[TrainingObserver] = (),
    progress: ProgressListener | None = None,
) -> TrainedRun:
    """Train the recipe's ranker and test it.

    The data are prepared first if the prepared folder does not exist. Two calls with the same recipe on the same
    machine give identical results. PyTorch's number of threads is restored on return and on errors; its global
    generator is seeded.

    Args:
        recipe: data, model and training.
        folder: the run folder, which must not exist; None selects ``runs/<name of the recipe>``.
        observers: called at every step and evaluation.
        progress: receives the progress of preparation and scoring.

    Raises:
        RunError: the folder exists, or training diverged.
        StalePreparedError: the prepared folder was made from other settings or sources.
        SettingsError: sizes of the model do not fit each other, the monitor is not defined for the data, or the
            training does not fit in memory; nothing of it is left.
    """
    began = time.perf_counter()
    with borrowed_cores(recipe.training.execution.threads), TrainLog() as log:
        inputs = RunInputs.of(recipe, progress=progress)
        alarms = early_alarms(inputs)
        held_before = current_memory_bytes(inputs.device)
        with _new_run_folder(Path(folder or default_run_folder(recipe)), recipe) as run:
            log.open(run.train_log)
            _write_inputs(run, inputs)
            training = inputs.training()
            ranker = training.ranker
            fitted = fit(
                training,
                save_best=lambda: save_weights(ranker, run.best_weights),
                observers=[_MetricsWriter(run), log, *observers],
                progress=progress,
            )
            speed = speed_of(
                inputs.cost,
                examples_per_second=fitted.examples_per_second,
                execution=recipe.training.execution,
                device=inputs.device,
                forecast_bytes=held_before + inputs.memory.total,
            )
            load_weights(ranker, run.best_weights)
            for observer in observers:
                observer.on_end()
            calibration = calibrate(run.path, fitted.best_predictions, recipe.training.calibration, say=log.say)
            result = final_result(
                inputs,
                ranker.eval(),
                fitted,
                speed=speed,
                began=began,
                early_alarms=alarms,
                calibration=calibration,
                progress=progress,
            )
            run.write_result(result)
            log.say(f"finished: best epoch {result.best_epoch} of {result.epochs}, {format_duration(result.seconds)}")
    return TrainedRun(folder=run.path, ranker=ranker, result=result)


def _write_inputs(run: RunFolder, inputs: RunInputs) -> None:
    """Copy the vocabularies of the features to the run folder, write its environment, and note who uses the data."""
    with explain_storage_errors(run.features):
        copy_feature_state(inputs.dataset.folder, run.features)
    run.write_environment(
        {
            **describe_environment(inputs.device),
            "precision": inputs.precision,
            "seed": inputs.recipe.training.seed,
            "data_fingerprint": inputs.dataset.fingerprint,
            "prepared": str(inputs.dataset.folder.resolve()),
        }
    )
    add_user(inputs.dataset.folder, User.of_run(run.path))


@contextmanager
def _new_run_folder(path: Path, recipe: Recipe) -> Iterator[RunFolder]:
    """Make a run folder, and remove it if the run fails or is stopped before it has weights."""
    run = RunFolder.create(path, recipe)
    try:
        yield run
    except BaseException:
        if run.best_weights.is_file():
            logger.warning("%s keeps the best weights so far; evaluate and predict can use them", run.path)
        else:
            run.remove()
        raise


class _MetricsWriter(SilentObserver):
    """An observer that appends each evaluation to ``metrics.jsonl``."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run

    def on_evaluation(self, evaluation: Evaluation) -> None:
        self._run.append_metrics(asdict(evaluation))

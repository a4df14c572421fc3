"""Train the ranker of a recipe: prepare the data if necessary, train, test, write a run folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankelastor.alarms.alarm import Alarm
from rankelastor.calibration.calibration import Calibration, read_calibration
from rankelastor.collectives.processes import ALONE, Processes
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.raw.frames import Frame
from rankelastor.execution.cores import borrowed_cores
from rankelastor.models.ranker import Ranker
from rankelastor.progress import ProgressListener, format_duration
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.checkpoints import list_checkpoints
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.runs.result import RunResult
from rankelastor.runs.run_folder import RunFolder, default_run_folder
from rankelastor.runs.weights import load_weights
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.training.beginning import BestSaver, begin, checkpointer_of
from rankelastor.training.calibration import calibrate
from rankelastor.training.distributed.agreement import agreed_inputs
from rankelastor.training.distributed.protocol_differences import protocol_differences
from rankelastor.training.distributed.sharded_state import share_best_weights
from rankelastor.training.distributed.state import share_checkpoint
from rankelastor.training.final_result import final_result
from rankelastor.training.inputs import RunInputs
from rankelastor.training.interruption import Interruption
from rankelastor.training.loop import FitResult, Start, fit
from rankelastor.training.memory_check import out_of_memory_explained
from rankelastor.training.observers import Discarded, Evaluation, ResumePoint, SilentObserver, TrainingObserver
from rankelastor.training.resume import open_run
from rankelastor.training.run_alarms import early_alarms
from rankelastor.training.side_by_side import lend_generators
from rankelastor.training.speed import current_memory_bytes, speed_of
from rankelastor.training.train_log import TrainLog

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes:
        folder: its run folder.
        result: its result.
        in_memory: the ranker with the best weights in evaluation mode; None if its rows were in several processes.
    """

    folder: Path
    result: RunResult
    in_memory: Ranker | None = None

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
    def ranker(self) -> Ranker:
        """The ranker with the best weights in evaluation mode; it is read from the folder if it is not in memory."""
        return self._loaded.ranker if self.in_memory is None else self.in_memory

    @cached_property
    def _loaded(self) -> LoadedRun:
        if self.in_memory is None:
            return load_run(self.folder)
        run = RunFolder.open(self.folder)
        encoder = RowEncoder.load(run.features)
        return LoadedRun(
            folder=self.folder,
            recipe=run.recipe(),
            encoder=encoder,
            ranker=self.in_memory,
            calibration=read_calibration(self.folder, tasks=encoder.schema.tasks),
        )


def train(
    recipe: Recipe,
    *,
    folder: str | Path | None = None,
    observers: Sequence[TrainingObserver] = (),
    progress: ProgressListener | None = None,
    resume: bool = False,
    start_from: str | Path | None = None,
    interruption: Interruption | None = None,
    test: bool = True,
    processes: Processes = ALONE,
) -> TrainedRun:
    """Train the recipe's ranker and test it.

    The data are prepared first if the prepared folder does not exist. Two calls with the same recipe on the same
    machine give identical results, in any thread. PyTorch's number of threads is restored on return and on errors; its
    global generators are left alone, or restored if steps are compiled or run on CUDA.

    An unfinished run of the same settings goes on from its last checkpoint. On the same CPU with the same number of
    threads the result is then the same bit for bit as that of a run that was never stopped.

    Args:
        recipe: data, model and training.
        folder: the run folder; None selects ``runs/<name of the recipe>``. It must not exist, or must hold an
            unfinished run of the same settings.
        observers: called at every step and evaluation.
        progress: receives the progress of preparation and scoring.
        resume: whether there must be a run to go on with. ``training.epochs`` may then be larger than it was.
        start_from: the folder of a finished run: the training begins with its weights and the state of its optimizer,
            and rows of values that it did not know as those of out of vocabulary. The prepared folder must be that of
            the run, or extend it (``prepare`` with ``extend``).
        interruption: hands requests to stop to the training, which saves its state before it raises them.
        test: whether the test split is scored at the end; a run that is one of many is compared by valid alone.
        processes: those that train together, of which this is the first; the others call ``follow``.

    Raises:
        RunError: the folder holds something else, another process trains in it, the run to start from does not fit,
            or training diverged.
        StalePreparedError: the prepared folder was made from other settings or sources.
        SettingsError: sizes of the model do not fit each other, the monitor is not defined for the data, or the
            training does not fit in memory; nothing of it is left.
    """
    began = time.perf_counter()
    with borrowed_cores(recipe.training.execution.threads), TrainLog() as log:
        inputs = agreed_inputs(recipe, processes, start_from=start_from, progress=progress)
        recipe = inputs.recipe
        for difference in protocol_differences(recipe.training):
            log.say(f"unlike the published protocol: {difference}")
        for choice in inputs.choices:
            log.say(f"chosen: {choice.path}={choice.value} ({choice.reason})")
        alarms = early_alarms(inputs)
        held_before = current_memory_bytes(inputs.device)
        path = Path(folder or default_run_folder(recipe))
        with open_run(path, recipe, resume=resume) as opened, _removed_if_empty(opened.folder):
            run = opened.folder
            log.open(run.train_log)
            share_checkpoint(opened.checkpoint, processes)
            training = inputs.training(processes)
            start = begin(opened, inputs, training, processes=processes, began=began)
            with (
                out_of_memory_explained(
                    inputs.recipe, inputs.dataset, device=inputs.device, num_processes=processes.world.size
                ),
                lend_generators(training.generators),
                closing(checkpointer_of(run, inputs, training, interruption=interruption)) as checkpointer,
            ):
                fitted = fit(
                    training,
                    save_best=BestSaver(run, inputs, training.ranker, checkpointer),
                    checkpointer=checkpointer,
                    start=start,
                    observers=[_MetricsWriter(run), log, *observers],
                    progress=progress,
                    interruption=interruption,
                )
                calibration = calibrate(
                    run.path, fitted.best_predictions, recipe.training.calibration, inputs.labels, say=log.say
                )
                result = _finish(
                    inputs,
                    run,
                    training.ranker,
                    fitted,
                    start,
                    observers,
                    alarms,
                    held_before,
                    calibration=calibration,
                    processes=processes,
                    test=test,
                    progress=progress,
                )
                checkpointer.remove()
                run.best_valid.unlink(missing_ok=True)
            log.say(f"finished: best epoch {result.best_epoch} of {result.epochs}, {format_duration(result.seconds)}")
    in_memory = training.ranker if training.ranker.embedding.elsewhere is None else None
    return TrainedRun(folder=run.path, result=result, in_memory=in_memory)


def _finish(  # noqa: PLR0917
    inputs: RunInputs,
    run: RunFolder,
    ranker: Ranker,
    fitted: FitResult,
    start: Start,
    observers: Sequence[TrainingObserver],
    alarms: tuple[Alarm, ...],
    held_before: int,
    *,
    calibration: Calibration,
    processes: Processes,
    test: bool,
    progress: ProgressListener | None,
) -> RunResult:
    """Test the best weights and write the result."""
    speed = speed_of(
        inputs.cost,
        examples_per_second=fitted.examples_per_second,
        seconds=time.perf_counter() - start.began,
        execution=inputs.recipe.training.execution,
        device=inputs.device,
        forecast_bytes=held_before + inputs.memory.total,
    )
    if test:
        share_best_weights(ranker, run.best_weights, processes)
    elif ranker.embedding.elsewhere is None:
        load_weights(ranker, run.best_weights)
    for observer in observers:
        observer.on_end()
    result = final_result(
        inputs,
        ranker.eval(),
        fitted,
        speed=speed,
        began=start.began,
        early_alarms=alarms,
        calibration=calibration,
        processes=processes,
        test=test,
        progress=progress,
    )
    run.write_result(result)
    return result


@contextmanager
def _removed_if_empty(run: RunFolder) -> Iterator[None]:
    """Remove a run folder if the run fails or is stopped before it has weights or a checkpoint."""
    try:
        yield
    except Discarded:
        run.remove()
        raise
    except BaseException:
        if list_checkpoints(run.checkpoints):
            logger.warning("%s keeps the state of the training; train again to go on", run)
        elif run.best_weights.is_file():
            logger.warning("%s keeps the best weights so far; evaluate and predict can use them", run)
        else:
            run.remove()
        raise


class _MetricsWriter(SilentObserver):
    """An observer that appends each evaluation to ``metrics.jsonl``."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._lines: list[dict[str, Any]] = []

    def on_evaluation(self, evaluation: Evaluation) -> None:
        values = asdict(evaluation)
        self._lines.append(values)
        self._run.append_metrics(values)

    def state(self) -> dict[str, Any]:
        return {"lines": list(self._lines)}

    def on_resume(self, point: ResumePoint, state: Mapping[str, Any]) -> None:
        del point
        self._lines = list(state["lines"])
        self._run.write_metrics(self._lines)

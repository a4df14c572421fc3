"""The training loop: epochs, evaluations, the best weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from rankelastor.config.training import TrainingSettings
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.errors import RunError
from rankelastor.evaluation.scoring import Predictions, score_split
from rankelastor.models.ranker import Ranker
from rankelastor.nn.scheduled import scheduled_modules
from rankelastor.objectives.mean_loss import MeanLoss
from rankelastor.progress import ProgressListener
from rankelastor.training.epoch_batches import epoch_batches
from rankelastor.training.observers import Evaluation, Step, TrainingObserver
from rankelastor.training.rare_as_unseen import RareAsUnseen
from rankelastor.training.step import Stepper
from rankelastor.training.stopping import Plateau


@dataclass(frozen=True)
class Fit:
    """What training came to. ``examples_per_second`` counts training steps alone, not evaluations.

    ``best_predictions`` are those of the best evaluation for the valid split.
    ``data_wait_share`` is the share of that time in which the next step waited for its batch.
    ``compiled``: whether steps ran compiled code.
    """

    best: Evaluation
    num_epochs: int
    num_steps: int
    examples_per_second: float
    best_predictions: Predictions
    data_wait_share: float
    compiled: bool


def fit(
    ranker: Ranker,
    *,
    train: BatchLoader,
    valid: BatchLoader,
    settings: TrainingSettings,
    tasks: Sequence[str],
    save_best: Callable[[], None],
    rare_as_unseen: RareAsUnseen | None = None,
    observers: Sequence[TrainingObserver] = (),
    progress: ProgressListener | None = None,
) -> Fit:
    """Train until the plateau stops it or the epochs are done.

    Args:
        ranker: changed in place; it ends with the weights of the last step, not of the best evaluation.
        train: training batches, shuffled by (seed, epoch).
        valid: scored after each epoch.
        settings: the protocol.
        tasks: names of the columns of labels.
        rare_as_unseen: changes each training batch; None leaves it as it is.
        save_best: called after each evaluation that improved; it keeps the weights.
        observers: told of every step and evaluation.
        progress: told of the scoring of the valid split.

    Raises:
        RunError: the loss is no longer finite.
    """
    stepper, plateau = Stepper(ranker, settings), Plateau.from_settings(settings)
    began, step_seconds, wait_seconds = time.perf_counter(), 0.0, 0.0
    learning_rate, epoch, best = settings.learning_rate, 0, None
    for observer in observers:
        observer.on_start(ranker, num_epochs=settings.epochs, num_examples=train.num_rows)
    with closing(stepper):
        for epoch in range(1, settings.epochs + 1):
            epoch_began = time.perf_counter()
            train_loss, waited = _run_epoch(
                stepper, ranker, train, settings, epoch=epoch, rare_as_unseen=rare_as_unseen, observers=observers
            )
            wait_seconds += waited
            stepper.complete_rows()
            step_seconds += time.perf_counter() - epoch_began
            predictions = score_split(ranker, valid, settings, tasks=tasks, progress=progress)
            metrics = predictions.metrics().as_dict()
            verdict = plateau.judge(metrics)
            evaluation = Evaluation(
                epoch=epoch,
                step=epoch * len(train),
                learning_rate=learning_rate,
                train_loss=round(train_loss, 6),
                metrics=metrics,
                improved=verdict.improved,
                seconds=round(time.perf_counter() - began, 3),
            )
            if verdict.improved:
                best = evaluation, predictions
                save_best()
            for observer in observers:
                observer.on_evaluation(evaluation)
            if verdict.stop:
                break
            learning_rate = verdict.learning_rate
            stepper.set_learning_rate(learning_rate)
    best_evaluation, best_predictions = _found(best, settings)
    return Fit(
        best=best_evaluation,
        best_predictions=best_predictions,
        num_epochs=epoch,
        num_steps=epoch * len(train),
        examples_per_second=epoch * train.num_rows / step_seconds,
        data_wait_share=wait_seconds / step_seconds,
        compiled=stepper.is_compiled,
    )


def _found(best: tuple[Evaluation, Predictions] | None, settings: TrainingSettings) -> tuple[Evaluation, Predictions]:
    if best is None:
        raise RunError(
            f"an evaluation must give training.monitor={settings.monitor}, but none did; "
            "gauc needs groups that hold both labels"
        )
    return best


def _run_epoch(
    stepper: Stepper,
    ranker: Ranker,
    train: BatchLoader,
    settings: TrainingSettings,
    *,
    epoch: int,
    rare_as_unseen: RareAsUnseen | None,
    observers: Sequence[TrainingObserver],
) -> tuple[float, float]:
    """All steps of one epoch; returns the mean loss over its examples and the seconds they waited for batches."""
    ranker.train()
    for observer in observers:
        observer.on_epoch_start(epoch)
    scheduled = scheduled_modules(ranker)
    device = next(ranker.parameters()).device
    losses = MeanLoss(stepper.objective.total)
    first_step = (epoch - 1) * len(train) + 1
    with epoch_batches(train, settings, epoch=epoch, device=device, rare_as_unseen=rare_as_unseen) as batches:
        for index, batch in enumerate(batches, start=first_step):
            for module in scheduled:
                module.set_epochs_done((index - 1) / len(train))
            loss = stepper.step(batch)
            losses.add(loss, batch)
            for observer in observers:
                observer.on_step(Step(epoch=epoch, index=index, batch=batch, loss=loss))
    mean_loss = losses.value()
    if not math.isfinite(mean_loss):
        raise RunError(
            f"the training loss must stay finite, but was {mean_loss} in epoch {epoch}; "
            "try a smaller training.learning_rate"
        )
    return mean_loss, batches.waited_seconds

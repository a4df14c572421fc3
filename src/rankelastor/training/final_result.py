"""Test a trained ranker and put the result of its run together."""

from __future__ import annotations

import time

from rankelastor.evaluation.scoring import score_split
from rankelastor.evaluation.unseen import count_unseen
from rankelastor.models.ranker import Ranker
from rankelastor.progress import ProgressListener
from rankelastor.runs.result import MetricValues, RunResult, Speed
from rankelastor.schema import SplitName
from rankelastor.training.epoch_batches import scoring_loader
from rankelastor.training.inputs import RunInputs
from rankelastor.training.loop import FitResult


def final_result(
    inputs: RunInputs,
    ranker: Ranker,
    fitted: FitResult,
    *,
    speed: Speed,
    began: float,
    progress: ProgressListener | None = None,
) -> RunResult:
    """Score the test split, where there is one, and collect all figures of the run.

    Args:
        inputs: what the run started from.
        ranker: with the best weights, in evaluation mode.
        fitted: what training came to.
        speed: of the training.
        began: ``time.perf_counter()`` when the run began.
        progress: told of the scoring.
    """
    recipe, dataset = inputs.recipe, inputs.dataset
    predictions = {"valid": fitted.best_predictions}
    metrics: dict[SplitName, MetricValues] = {"valid": fitted.best.metrics}
    if "test" in dataset.splits:
        loader = scoring_loader(dataset, "test", recipe.training)
        predictions["test"] = score_split(
            ranker, loader, recipe.training.execution, tasks=dataset.schema.tasks, progress=progress
        )
        metrics["test"] = predictions["test"].metrics().as_dict()
    return RunResult(
        recipe=recipe.name,
        model=recipe.model.kind,
        seed=recipe.training.seed,
        metrics=metrics,
        unseen={
            split: count_unseen(scoring_loader(dataset, split, recipe.training), dataset.manifest).report(
                predictions[split]
            )
            for split in metrics
        },
        cost=inputs.cost,
        best_epoch=fitted.best.epoch,
        epochs=fitted.num_epochs,
        steps=fitted.num_steps,
        examples_per_second=round(fitted.examples_per_second, 1),
        data_wait_share=round(fitted.data_wait_share, 6),
        compiled=fitted.executor == "compiled",
        executor=fitted.executor,
        precision=inputs.precision,
        speed=speed,
        seconds=round(time.perf_counter() - began, 3),
    )

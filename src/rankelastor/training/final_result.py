"""Test a trained ranker and assemble the result of its run."""

from __future__ import annotations

import time

from rankelastor.alarms.alarm import Alarm
from rankelastor.calibration.calibration import NO_CALIBRATION, Calibration
from rankelastor.collectives.processes import ALONE, Processes
from rankelastor.evaluation.distribution import distribution_of
from rankelastor.evaluation.scoring import Predictions
from rankelastor.evaluation.unseen import UnseenValues, count_unseen
from rankelastor.execution.cores import threads_in_use
from rankelastor.execution.lowering import describe_kernels
from rankelastor.models.ranker import Ranker
from rankelastor.progress import ProgressListener
from rankelastor.runs.result import MetricValues, RunResult, Speed
from rankelastor.schema import SplitName
from rankelastor.training.calibration import calibration_of, calibrators_of
from rankelastor.training.compare import compare_with_baseline
from rankelastor.training.distributed.exchanged import exchanged
from rankelastor.training.distributed.final_scores import score_test
from rankelastor.training.distributed.protocol_differences import plan_in_words, protocol_differences
from rankelastor.training.distributed.sharded_state import tables_of
from rankelastor.training.epoch_batches import scoring_loader
from rankelastor.training.inputs import RunInputs
from rankelastor.training.loop import FitResult
from rankelastor.training.run_alarms import run_alarms


def final_result(
    inputs: RunInputs,
    ranker: Ranker,
    fitted: FitResult,
    *,
    speed: Speed,
    began: float,
    early_alarms: tuple[Alarm, ...] = (),
    calibration: Calibration = NO_CALIBRATION,
    processes: Processes = ALONE,
    test: bool = True,
    progress: ProgressListener | None = None,
) -> RunResult:
    """Score the test split, if there is one, and collect all figures of the run.

    Args:
        inputs: inputs of the run.
        ranker: the model with the best weights, in evaluation mode.
        fitted: result of the training loop.
        speed: speed of the training.
        began: ``time.perf_counter()`` when the run began.
        early_alarms: alarms that were given before the first step.
        calibration: what is done to the logits after the correction by the odds.
        processes: those that train together, of which this is the first.
        test: whether the test split is scored.
        progress: receives the progress of scoring.
    """
    recipe, dataset = inputs.recipe, inputs.dataset
    scores: dict[SplitName, Predictions] = {"valid": fitted.best_predictions}
    if test and (tested := score_test(inputs, ranker, processes, progress=progress)) is not None:
        scores["test"] = tested
    predictions = {split: each.calibrated(calibration) for split, each in scores.items()}
    metrics: dict[SplitName, MetricValues] = {split: each.metrics().as_dict() for split, each in predictions.items()}
    if not calibration.changes_logits:
        metrics["valid"] = fitted.best.metrics
    unseen: dict[SplitName, UnseenValues] = {
        split: count_unseen(scoring_loader(dataset, split, recipe.training), dataset.manifest) for split in metrics
    }
    compared = compare_with_baseline(dataset, predictions["valid"]) if recipe.training.baseline else None
    return RunResult(
        recipe=recipe.name,
        model=recipe.model.kind,
        seed=recipe.training.seed,
        metrics=metrics,
        unseen={split: values.report(predictions[split]) for split, values in unseen.items()},
        cost=inputs.cost,
        best_epoch=fitted.best.epoch,
        epochs=fitted.num_epochs,
        steps=fitted.num_steps,
        skipped_steps=fitted.num_skipped,
        examples_per_second=round(fitted.examples_per_second, 1),
        data_wait_share=round(fitted.data_wait_share, 6),
        compiled=fitted.executor == "compiled",
        executor=fitted.executor,
        kernels=describe_kernels() if fitted.executor == "kernels" else None,
        slice_examples=fitted.slice_examples,
        threads=str(threads_in_use(recipe.training.execution.threads)),
        precision=inputs.precision,
        speed=speed,
        seconds=round(time.perf_counter() - began, 3),
        baseline=None if compared is None else compared.figures(),
        calibration={split: calibration_of(each, calibration) for split, each in scores.items()}
        if recipe.odds.logit_shift or calibration.choices
        else {},
        calibrators=calibrators_of(calibration),
        predictions={split: distribution_of(predictions[split].probability, dataset.schema.tasks) for split in metrics},
        processes=exchanged(processes, num_steps=fitted.num_steps, plan=plan_in_words(tables_of(ranker))),
        protocol_differences=protocol_differences(recipe.training),
        alarms=(*early_alarms, *run_alarms(inputs.dataset, predictions, unseen, compared)),
    )

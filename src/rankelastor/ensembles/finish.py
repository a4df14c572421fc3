"""Make one run of trained members: score them together, calibrate the mean of their logits, write the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from rankelastor.alarms.alarm import Alarm
from rankelastor.calibration.calibration import NO_CALIBRATION
from rankelastor.data.prepared import PreparedDataset
from rankelastor.evaluation.distribution import distribution_of
from rankelastor.evaluation.run_scorer import RunPredictions, score_run
from rankelastor.evaluation.unseen import UnseenValues, count_unseen
from rankelastor.execution.cores import borrowed_cores
from rankelastor.models.cost import Cost
from rankelastor.progress import ProgressListener
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.runs.result import MemberFigures, RunResult
from rankelastor.runs.run_folder import RunFolder
from rankelastor.schema import SPLITS, SplitName
from rankelastor.training.calibration import calibrate, calibration_of, calibrators_of
from rankelastor.training.compare import compare_with_baseline
from rankelastor.training.epoch_batches import scoring_loader
from rankelastor.training.label_counts import count_labels
from rankelastor.training.run import TrainedRun
from rankelastor.training.run_alarms import run_alarms

_SCORED: tuple[SplitName, ...] = tuple(split for split in SPLITS if split != "train")


def finish_ensemble(
    folder: Path,
    *,
    began: float,
    say: Callable[[str], None],
    early_alarms: tuple[Alarm, ...] = (),
    progress: ProgressListener | None = None,
) -> TrainedRun:
    """Score the members in the folder of an ensemble together, calibrate the mean of their logits, write the result.

    Args:
        folder: the run folder, whose members are all trained.
        began: ``time.perf_counter()`` when the work began, without the time that was taken before.
        say: receives lines for the log of the run.
        early_alarms: alarms that were given before the first step.
        progress: receives the progress of the scoring.

    Raises:
        RunError: a member is missing or has not finished, or members stand on different data.
    """
    run = load_run(folder)
    recipe = run.recipe
    with borrowed_cores(recipe.training.execution.threads):
        dataset = run.dataset()
        uncalibrated = replace(run, calibration=NO_CALIBRATION)
        loaders = {
            split: scoring_loader(dataset, split, recipe.training) for split in _SCORED if split in dataset.splits
        }
        scores = {split: score_run(uncalibrated, loader, progress=progress) for split, loader in loaders.items()}
        unseen = {split: count_unseen(loader, dataset.manifest) for split, loader in loaders.items()}
        calibration = calibrate(
            folder, scores["valid"].predictions, recipe.training.calibration, count_labels(dataset), say=say
        )
        result = _result(replace(run, calibration=calibration), dataset, scores, unseen)
    seconds = round(time.perf_counter() - began, 3)
    result = replace(result, seconds=seconds, alarms=(*early_alarms, *result.alarms))
    RunFolder(folder).write_result(result)
    return TrainedRun(folder=folder, result=result, in_memory=run.ranker)


def _result(
    run: LoadedRun,
    dataset: PreparedDataset,
    scores: dict[SplitName, RunPredictions],
    unseen: dict[SplitName, UnseenValues],
) -> RunResult:
    recipe, calibration = run.recipe, run.calibration
    results = [RunFolder(member.folder).result() for member in run.members]
    predictions = {split: each.predictions.calibrated(calibration) for split, each in scores.items()}
    compared = compare_with_baseline(dataset, predictions["valid"]) if recipe.training.baseline else None
    is_changed = bool(recipe.odds.logit_shift or calibration.choices)
    return RunResult(
        recipe=recipe.name,
        model=" + ".join(dict.fromkeys(result.model for result in results)),
        seed=recipe.training.seed,
        metrics={split: each.metrics().as_dict() for split, each in predictions.items()},
        unseen={split: values.report(predictions[split]) for split, values in unseen.items()},
        cost=_sum([result.cost for result in results]),
        best_epoch=max(result.best_epoch for result in results),
        epochs=max(result.epochs for result in results),
        steps=sum(result.steps for result in results),
        examples_per_second=round(fmean(result.examples_per_second for result in results), 1),
        data_wait_share=round(fmean(result.data_wait_share for result in results), 6),
        compiled=results[0].compiled,
        executor=results[0].executor,
        precision=results[0].precision,
        speed=results[0].speed,
        seconds=0.0,
        baseline=None if compared is None else compared.figures(),
        calibration={split: calibration_of(each.predictions, calibration) for split, each in scores.items()}
        if is_changed
        else {},
        calibrators=calibrators_of(calibration),
        predictions={split: distribution_of(each.probability, each.tasks) for split, each in predictions.items()},
        alarms=run_alarms(dataset, predictions, unseen, compared),
        members=tuple(_member(run, place, result, scores) for place, result in enumerate(results)),
    )


def _member(run: LoadedRun, place: int, result: RunResult, scores: dict[SplitName, RunPredictions]) -> MemberFigures:
    return MemberFigures(
        folder=run.members[place].folder.relative_to(run.folder).as_posix(),
        model=result.model,
        seed=result.seed,
        metrics={split: each.members[place].metrics().as_dict() for split, each in scores.items()},
        best_epoch=result.best_epoch,
        epochs=result.epochs,
        seconds=result.seconds,
    )


def _sum(costs: Sequence[Cost]) -> Cost:
    return Cost(
        dense_parameters=sum(cost.dense_parameters for cost in costs),
        embedding_parameters=sum(cost.embedding_parameters for cost in costs),
        flops_per_example=sum(cost.flops_per_example for cost in costs),
        training_flops_per_example=sum(cost.training_flops_per_example for cost in costs),
    )

"""The demo: RankMixer and RankElastor of about equal size on a synthetic log whose best possible AUC is known."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.config.training import TrainingSettings
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings
from rankelastor.data.synthetic import BestPossible, write_click_log
from rankelastor.errors import RunError
from rankelastor.evaluation.scoring import Predictions, score_split
from rankelastor.models.mixer import MixerSettings
from rankelastor.models.rankelastor import RankElastorSettings
from rankelastor.models.ranker import Ranker
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.models.rankmixer import RankMixerSettings
from rankelastor.nn.embedding.field_matrix import RAW_STAGE
from rankelastor.progress import ProgressListener
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import Batch
from rankelastor.spectrum.recording.recorder import Recorder
from rankelastor.studies.paired_auc import AucDifference, auc_difference
from rankelastor.training.observers import TrainingObserver
from rankelastor.training.run import TrainedRun, train

MEASURE = "stable_rank"
RANK_EXAMPLES = 4096
_LOG_FOLDER, _PREPARED_FOLDER, _RUNS_FOLDER = "log", "prepared", "runs"
_OURS = {_LOG_FOLDER, _PREPARED_FOLDER, _RUNS_FOLDER}

ObserverFor = Callable[[str, Path], Sequence[TrainingObserver]]


@dataclass(frozen=True)
class DemoRow:
    """Results of one model; ``share_of_gain`` is (AUC - 0.5) / (best possible AUC - 0.5) on the test split."""

    model: str
    auc: float
    logloss: float
    share_of_gain: float
    dense_parameters: int
    flops_per_example: int
    seconds: float
    mean_stable_rank: Mapping[str, float | None]


@dataclass(frozen=True)
class DemoReport:
    """Results of both models, and the best possible metrics on the same test rows.

    ``auc_difference`` is the test AUC of RankElastor minus that of RankMixer.
    """

    rows: tuple[DemoRow, ...]
    auc_difference: AucDifference
    best: BestPossible
    num_rows: int
    num_rank_examples: int
    max_rank: int


def run_demo(
    folder: str | Path,
    *,
    num_rows: int = 200_000,
    seed: int = 7,
    observers_for: ObserverFor = lambda _model, _run: (),
    progress: ProgressListener | None = None,
) -> DemoReport:
    """Generate a log, prepare it, train and test both models, and measure the rank of their tokens.

    Args:
        folder: output folder; the output of an earlier demo in it is replaced.
        num_rows: number of rows of the log.
        seed: random seed of the log and of the training.
        observers_for: function from a model's kind and run folder to the observers of its training.
        progress: listener for the progress of the preparation and the scoring.

    Raises:
        RunError: the folder contains other files than those of a demo.
    """
    folder = Path(folder)
    _clear_runs(folder)
    log = write_click_log(folder / _LOG_FOLDER, num_rows=num_rows, seed=seed)
    data = log.data_settings(folder / _PREPARED_FOLDER)
    dataset = prepare(data, progress=progress)
    rows, predictions = [], {}
    for model in demo_models():
        recipe = demo_recipe(model, data, seed=seed)
        run_folder = folder / _RUNS_FOLDER / model.kind
        observers = observers_for(model.kind, run_folder)
        run = train(recipe, folder=run_folder, observers=observers, progress=progress)
        rows.append(_row(run, dataset, best=log.best["test"]))
        predictions[model.kind] = _score_test(run, dataset, recipe)
    elastor, mixer = predictions["rankelastor"], predictions["rankmixer"]
    return DemoReport(
        rows=tuple(rows),
        auc_difference=auc_difference(elastor.label[:, 0], elastor.probability[:, 0], mixer.probability[:, 0]),
        best=log.best["test"],
        num_rows=num_rows,
        num_rank_examples=min(RANK_EXAMPLES, dataset.split("test").num_rows),
        max_rank=min(min(model.num_tokens, model.token_dim) for model in demo_models()),
    )


def demo_models() -> tuple[MixerSettings, ...]:
    """Build the settings of both rankers, with the same tokens, blocks and head, and about equal dense parameters."""
    shared = {"embedding_dim": 8, "num_tokens": 6, "token_dim": 12, "tokenizer": {"kind": "split", "dropout": 0.0}}
    mlp = {"kind": "mlp", "hidden_dims": [120], "dropout": 0.1}
    glu = {"kind": "glu", "hidden_dims": [12], "dropout": 0.1}
    return (
        RankMixerSettings.model_validate({"kind": "rankmixer", **shared, "ffn": mlp}),
        RankElastorSettings.model_validate({"kind": "rankelastor", **shared, "ffn": glu}),
    )


def demo_recipe(model: RankerSettings, data: DataSettings, *, seed: int) -> Recipe:
    """Build the recipe with which the demo trains ``model``; the training is the same for both models."""
    optimiser = OptimiserSettings(learning_rate=2e-3, embedding_l2=1e-3)
    training = TrainingSettings(seed=seed, epochs=10, batch_size=2048, optimiser=optimiser)
    return Recipe(name=f"demo-{model.kind}", data=data, model=model, training=training, version=2)


def _clear_runs(folder: Path) -> None:
    """Remove the runs of an earlier demo; raise an error if the folder contains anything else."""
    if folder.is_dir() and (others := sorted(item.name for item in folder.iterdir() if item.name not in _OURS)):
        raise RunError(f"the demo must have its own folder, but {folder} contains {others[:5]}; try another folder")
    shutil.rmtree(folder / _RUNS_FOLDER, ignore_errors=True)


def _row(run: TrainedRun, dataset: PreparedDataset, *, best: BestPossible) -> DemoRow:
    result, test = run.result, run.result.test
    return DemoRow(
        model=result.model,
        auc=test["auc"],
        logloss=test["logloss"],
        share_of_gain=(test["auc"] - 0.5) / (best.auc - 0.5),
        dense_parameters=result.cost.dense_parameters,
        flops_per_example=result.cost.flops_per_example,
        seconds=result.seconds,
        mean_stable_rank=_mean_stable_rank(run.ranker, dataset),
    )


def _score_test(run: TrainedRun, dataset: PreparedDataset, recipe: Recipe) -> Predictions:
    loader = BatchLoader(dataset.split("test"), batch_size=recipe.training.evaluation_batch_size)
    return score_split(run.ranker, loader, recipe.training.execution, tasks=dataset.schema.tasks)


def _mean_stable_rank(ranker: Ranker, dataset: PreparedDataset) -> dict[str, float | None]:
    """Compute the mean stable rank of the examples' token matrices on the test split, by point."""
    device = next(ranker.parameters()).device
    batch: Batch = next(iter(BatchLoader(dataset.split("test"), batch_size=RANK_EXAMPLES).epoch()))
    token_points = {name: module for name, module in ranker.points.items() if name != RAW_STAGE}
    with Recorder(ranker, token_points, measures=[MEASURE]) as recorder, torch.inference_mode():
        ranker(batch.to(device))
    return {point.point: point.examples[MEASURE].mean for point in recorder.recording().points}

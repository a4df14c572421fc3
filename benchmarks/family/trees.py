"""LightGBM and one-hot logistic regression on the prepared rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.family.plan import Job
from numpy.typing import NDArray
from scipy.sparse import csr_array

from rankelastor.baseline.logistic_regression import LogisticRegression
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepared import PreparedDataset
from rankelastor.metrics.report import evaluate_predictions
from rankelastor.schema import SPLITS, SplitName

TREES: tuple[dict[str, Any], ...] = (
    {"num_leaves": 31, "learning_rate": 0.1},
    {"num_leaves": 255, "learning_rate": 0.1, "min_data_in_leaf": 10},
    {"num_leaves": 255, "learning_rate": 0.05, "min_data_in_leaf": 5, "cat_smooth": 1.0, "cat_l2": 1.0},
    {"num_leaves": 1023, "learning_rate": 0.05, "min_data_in_leaf": 5, "cat_smooth": 1.0, "max_cat_threshold": 256},
)
PENALTIES = (0.1, 1.0, 3.0, 10.0)
_MOST_ROUNDS, _PATIENCE = 3_000, 50

Rows = tuple[NDArray[np.int64], NDArray[np.float64]]
Scores = NDArray[np.float64]


def fit_baseline(job: Job, prepared: Path) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Fit the baseline of a job on train, and score valid and test.

    Returns:
        The line of results, and the probabilities of test (row, 1).
    """
    dataset = PreparedDataset.open(prepared)
    rows = {split: _read(dataset, split) for split in SPLITS}
    if job.model == "lightgbm":
        settings = TREES[job.draw]
        scores, rounds = _trees(rows, settings, seed=job.seed)
        more = {"epochs": rounds, "settings": settings}
    else:
        sizes = [feature.num_ids for feature in dataset.schema.categorical]
        scores, more = _linear(rows, sizes, PENALTIES[job.draw]), {"settings": {"penalty": PENALTIES[job.draw]}}
        more["dense_parameters"] = sum(sizes) + 1
    line: dict[str, Any] = {
        split: evaluate_predictions(
            rows[split][1][:, None].astype(np.float32), scores[split][:, None], tasks=("label",)
        ).as_dict()
        for split in scores
    }
    return {**line, **more}, scores["test"][:, None].astype(np.float32)


def _read(dataset: PreparedDataset, split: SplitName) -> Rows:
    (batch,) = BatchLoader(dataset.split(split), batch_size=dataset.split(split).num_rows).epoch()
    assert batch.labels is not None
    return batch.categorical.numpy().astype(np.int64), batch.labels[:, 0].double().numpy()


def _trees(rows: dict[SplitName, Rows], settings: dict[str, Any], *, seed: int) -> tuple[dict[SplitName, Scores], int]:
    import lightgbm  # noqa: PLC0415 - only this study needs it

    columns = list(range(rows["train"][0].shape[1]))
    train, valid = (
        lightgbm.Dataset(*rows[split], categorical_feature=columns, free_raw_data=False) for split in ("train", "valid")
    )
    fixed = {"objective": "binary", "metric": "auc", "num_threads": 1, "seed": seed, "verbosity": -1}
    stop = lightgbm.early_stopping(_PATIENCE, verbose=False)
    model = lightgbm.train(fixed | settings, train, _MOST_ROUNDS, valid_sets=[valid], callbacks=[stop])
    return {split: np.asarray(model.predict(rows[split][0])) for split in ("valid", "test")}, model.best_iteration


def _linear(rows: dict[SplitName, Rows], sizes: list[int], penalty: float) -> dict[SplitName, Scores]:
    starts = np.cumsum([0, *sizes])

    def one_hot(ids: NDArray[np.int64]) -> csr_array:
        places = ids + starts[:-1]
        ends = np.arange(0, places.size + 1, places.shape[1])
        return csr_array((np.ones(places.size), places.ravel(), ends), shape=(len(ids), int(starts[-1])))

    ids, label = rows["train"]
    fitted = LogisticRegression.fit(one_hot(ids), label, weight=np.ones(len(label)), penalty=penalty)
    return {split: fitted.probability(one_hot(rows[split][0])) for split in ("valid", "test")}

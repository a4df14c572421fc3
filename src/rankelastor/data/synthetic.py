"""Generate synthetic click logs whose best possible AUC is known, since the true click probabilities are.

Each value of a categorical field has a latent vector. The logit of a click is

    bias + main effects + sum over some pairs of fields of <latent, latent> + numeric effects
         + one numeric field times a weight that depends on the value of one categorical field.

Values follow Zipf's law. Most of the variance of the logit comes from the pairs, so that a model without
interactions stays clearly below the best possible AUC.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankelastor.data.kinds.categorical import CategoricalField
from rankelastor.data.kinds.numeric import NumericField
from rankelastor.data.raw.file_settings import FileSettings
from rankelastor.data.settings import DataSettings
from rankelastor.schema import SPLITS, SplitName
from rankelastor.storage import whole_file

LABEL = "click"
SECOND_LABEL = "buy"
TRUTH_FILE = "truth.json"

SIZES = {
    "user": 800,
    "ad": 300,
    "site": 150,
    "campaign": 60,
    "category": 30,
    "city": 100,
    "device": 40,
    "hour": 24,
    "slot": 20,
}
"""Number of values of each categorical field."""

_PAIRS = (("user", "category"), ("user", "campaign"), ("ad", "site"), ("category", "city"), ("device", "slot"))
_NUMERIC = ("price", "age", "depth")
_LATENT_DIM = 3
_CLICK_RATE = 0.25
_MAIN_DEVIATION = 0.5
_PAIR_DEVIATION = 1.3
_NUMERIC_DEVIATION = 0.4
_SENSITIVITY_DEVIATION = 0.5

Codes = dict[str, NDArray[np.int64]]
Numbers = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class BestPossible:
    """AUC and logloss (nats) of the true click probabilities on the labels drawn from them."""

    auc: float
    logloss: float


@dataclass(frozen=True)
class ClickLog:
    """A synthetic click log on disk: ``train.csv``, ``valid.csv``, ``test.csv`` and ``truth.json``."""

    folder: Path
    num_rows: dict[SplitName, int]
    best: dict[SplitName, BestPossible]

    def data_settings(self, prepared: str | Path) -> DataSettings:
        """Make the settings that prepare this log into the folder ``prepared``."""
        return DataSettings(
            prepared=str(prepared),
            files=FileSettings(folder=str(self.folder), train=("train.csv",), valid=("valid.csv",), test=("test.csv",)),
            label=LABEL,
            fields=(
                CategoricalField(column=tuple(SIZES), min_count=2),
                NumericField(kind="numeric", column=_NUMERIC, transform="standardise"),
            ),
        )


def write_click_log(
    folder: str | Path,
    *,
    num_rows: int = 200_000,
    seed: int = 7,
    sizes: Mapping[str, int] = SIZES,
    second_label: bool = False,
) -> ClickLog:
    """Draw a click log and write it as CSV, 80 % train, 10 % valid, 10 % test.

    Args:
        folder: created if it does not exist; files of the same name are replaced.
        num_rows: number of rows of all splits together.
        seed: seed of the generator; the log depends on it, on ``num_rows`` and on ``sizes`` alone.
        sizes: number of values of each categorical field; with fewer values fewer rows teach as much.
        second_label: whether a column `buy` is added behind the label: 1 in some of the rows with a click, by a pair of
            fields and the price. All other columns are as without it.

    Raises:
        StorageError: the folder cannot be written.
    """
    assert num_rows >= 100, "a log needs 100 rows"  # noqa: PLR2004 - ten rows per split
    folder = Path(folder)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, num_rows])))
    assert sizes.keys() == SIZES.keys(), "every field needs a number of values"
    codes = {name: _zipf(rng, size, num_rows) for name, size in sizes.items()}
    numbers = _draw_numbers(rng, num_rows)
    probabilities = _probabilities(rng, codes, numbers, sizes)
    labels = (rng.random(num_rows) < probabilities).astype(np.int8)
    frame = _frame(labels, codes, numbers)
    if second_label:
        bought = pl.Series(SECOND_LABEL, _purchases(labels, codes, numbers, sizes, seed=seed))
        frame = frame.insert_column(1, bought)
    best, rows_written = {}, {}
    for split, rows in _split_rows(num_rows).items():
        with whole_file(folder / f"{split}.csv") as file:
            frame[rows].write_csv(file)
        best[split] = best_possible(probabilities[rows], labels[rows])
        rows_written[split] = rows.stop - rows.start
    log = ClickLog(folder, rows_written, best)
    _write_truth(log, seed=seed)
    return log


def _zipf(rng: np.random.Generator, size: int, num_rows: int) -> NDArray[np.int64]:
    """Draw values 0..size-1, the k-th most frequent with probability proportional to 1 / (k + 2)."""
    weights = 1 / (np.arange(size) + 3.0)
    ranks = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], rng.random(num_rows), side="right")
    return rng.permutation(size)[ranks]


def _draw_numbers(rng: np.random.Generator, num_rows: int) -> Numbers:
    """Draw numbers, rounded as they are written, so that the true probabilities match the file."""
    return {
        "price": rng.lognormal(2.0, 0.6, num_rows).round(2),
        "age": rng.integers(18, 80, num_rows).astype(np.float64),
        "depth": rng.geometric(0.4, num_rows).astype(np.float64),
    }


def _probabilities(
    rng: np.random.Generator, codes: Codes, numbers: Numbers, sizes: Mapping[str, int]
) -> NDArray[np.float64]:
    main = np.sum([rng.normal(size=size)[codes[name]] for name, size in sizes.items()], axis=0)
    latent = {
        name: rng.normal(size=(size, _LATENT_DIM)) for name, size in sizes.items() if any(name in p for p in _PAIRS)
    }
    pairs = np.sum(
        [np.einsum("rd,rd->r", latent[left][codes[left]], latent[right][codes[right]]) for left, right in _PAIRS],
        axis=0,
    )
    scaled = {name: _standardise(values) for name, values in numbers.items()}
    numeric = scaled["depth"] - 0.5 * scaled["age"] ** 2
    sensitivity = rng.normal(size=sizes["category"])[codes["category"]] * scaled["price"]
    logits = (
        _MAIN_DEVIATION * _standardise(main)
        + _PAIR_DEVIATION * _standardise(pairs)
        + _NUMERIC_DEVIATION * _standardise(numeric)
        + _SENSITIVITY_DEVIATION * _standardise(sensitivity)
    )
    return _sigmoid(logits + _bias(logits))


def _purchases(
    labels: NDArray[np.int8], codes: Codes, numbers: Numbers, sizes: Mapping[str, int], *, seed: int
) -> NDArray[np.int8]:
    """Draw which clicks become purchases, from a generator of their own."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, len(labels)], spawn_key=(1,))))
    users, ads = (rng.normal(size=(sizes[name], _LATENT_DIM))[codes[name]] for name in ("user", "ad"))
    logits = _standardise((users * ads).sum(axis=1)) - _standardise(np.log(numbers["price"]))
    bought: NDArray[np.int8] = ((rng.random(len(labels)) < _sigmoid(logits)) & (labels == 1)).astype(np.int8)
    return bought


def _bias(logits: NDArray[np.float64]) -> float:
    """Find the bias at which the mean probability is the click rate, by bisection."""
    low, high = -20.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _sigmoid(logits + middle).mean() < _CLICK_RATE else (low, middle)
    return low


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    probabilities: NDArray[np.float64] = 1 / (1 + np.exp(-logits))
    return probabilities


def _standardise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    standardised: NDArray[np.float64] = (values - values.mean()) / values.std()
    return standardised


def _frame(labels: NDArray[np.int8], codes: Codes, numbers: Numbers) -> pl.DataFrame:
    texts = {name: pl.Series(values).cast(pl.String).str.pad_start(4, "0") for name, values in codes.items()}
    named = pl.DataFrame(texts).select(pl.format(f"{name}-{{}}", name).alias(name) for name in codes)
    return pl.DataFrame({LABEL: labels}).hstack(named).hstack(pl.DataFrame(numbers))


def _split_rows(num_rows: int) -> dict[SplitName, slice]:
    first, second = num_rows * 8 // 10, num_rows * 9 // 10
    return dict(zip(SPLITS, (slice(0, first), slice(first, second), slice(second, num_rows)), strict=True))


def best_possible(probabilities: NDArray[np.float64], labels: NDArray[np.int8]) -> BestPossible:
    """Compute AUC and logloss of the probabilities from which labels were drawn.

    Example:
        >>> best_possible(np.array([0.2, 0.8]), np.array([0, 1], dtype=np.int8)).auc
        1.0
    """
    return BestPossible(auc=_auc(probabilities, labels), logloss=_logloss(probabilities, labels))


def _auc(scores: NDArray[np.float64], labels: NDArray[np.int8]) -> float:
    """Compute the share of (click, no click) pairs in which the click has the higher score; ties count half."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    num_clicks = int(labels.sum())
    num_others = len(labels) - num_clicks
    rank_sum = float(mean_rank[place][labels == 1].sum())
    return (rank_sum - num_clicks * (num_clicks + 1) / 2) / (num_clicks * num_others)


def _logloss(probabilities: NDArray[np.float64], labels: NDArray[np.int8]) -> float:
    return float(-np.log(np.where(labels == 1, probabilities, 1 - probabilities)).mean())


def _write_truth(log: ClickLog, *, seed: int) -> None:
    truth = {
        "seed": seed,
        "best_possible": {
            split: {"num_rows": log.num_rows[split], "auc": best.auc, "logloss": best.logloss}
            for split, best in log.best.items()
        },
    }
    with whole_file(log.folder / TRUTH_FILE) as file:
        file.write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")

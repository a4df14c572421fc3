"""The weights of values are those of a plain regression on rates that leave a row's tenth out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.linear_model import LogisticRegression as Reference

from rankelastor.baseline.value_rates import ValueWeights, fit_value_weights
from rankelastor.data.manifest import read_vocabularies
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings
from rankelastor.models.build import build_value_rates
from rankelastor.schema import Batch

ROWS = 400


def log_of(folder: Path, rows: Sequence[Sequence[Any]], columns: str, **settings: Any) -> PreparedDataset:
    """Prepare a log whose valid and test split are its first rows."""
    for split, part in {"train": rows, "valid": rows[:40], "test": rows[:40]}.items():
        lines = [columns, *(",".join(map(str, row)) for row in part)]
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    files = {"folder": str(folder), **{split: f"{split}.csv" for split in ("train", "valid", "test")}}
    defaults = {"label": "click", "fields": [{"kind": "categorical", "column": ["item", "site"]}]}
    values = {"prepared": str(folder / "prepared"), "files": files, **defaults, **settings}
    return prepare(DataSettings.model_validate(values))


def clicks(seed: int = 3, *, num_rows: int = ROWS) -> list[list[Any]]:
    """Draw rows of a label, an item of 30 and a site of 4; both have rates of their own."""
    draws = np.random.default_rng(seed)
    items, sites = draws.integers(30, size=num_rows), draws.integers(4, size=num_rows)
    rates = 0.1 + 0.5 * draws.random(30)[items] + 0.1 * sites
    return [[int(draws.random() < rate), f"i{i}", f"s{s}"] for rate, i, s in zip(rates, items, sites, strict=True)]


def plain_offset(dataset: PreparedDataset) -> list[float]:
    """Compute the logits of train as slowly as the definition says, with scikit-learn's regression."""
    (shard,) = dataset.split("train").shards
    ids, label = shard.categorical, shard.labels[:, 0]
    fold = np.random.default_rng(0x7261746573).permutation(len(ids)) % 10
    mean = label.mean()

    def inputs(row: int) -> list[float]:
        found = []
        for column in range(ids.shape[1]):
            others = (ids[:, column] == ids[row, column]) & (fold != fold[row])
            rows, clicked = others.sum(), label[others].sum()
            for prior in (2, 20, 200):
                share = (clicked + prior * mean) / (rows + prior)
                found.append(np.log(share / (1 - share)) - np.log(mean / (1 - mean)))
            found.append(np.log(1 + rows))
        return found

    matrix = np.array([inputs(row) for row in range(len(ids))])
    matrix = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    fitted = Reference(C=1 / 30, tol=1e-12, max_iter=10_000).fit(matrix, label)
    logits: list[float] = fitted.decision_function(matrix).tolist()
    return logits


def logits_of(dataset: PreparedDataset, fitted: ValueWeights, ids: Sequence[Sequence[int]]) -> list[float]:
    rates = build_value_rates(dataset.schema)
    rates.set(torch.from_numpy(fitted.weights), torch.from_numpy(fitted.bias))
    batch = Batch(categorical=torch.tensor(ids), numeric=torch.zeros(len(ids), 0), labels=None, group=None)
    logits: list[float] = rates(batch)[:, 0].tolist()
    return logits


def test_the_offset_is_that_of_a_plain_regression(tmp_path: Path) -> None:
    dataset = log_of(tmp_path, clicks(), "click,item,site")
    np.testing.assert_allclose(fit_value_weights(dataset).offset[:, 0], plain_offset(dataset), atol=1e-5)


def test_new_rows_are_ranked_by_the_rates_of_their_values(tmp_path: Path) -> None:
    rows = [[int(i < 30), "good", "s"] for i in range(40)] + [[int(i < 10), "bad", "s"] for i in range(40)]
    rows += [[i % 2, f"rare{i}", "s"] for i in range(120)]
    dataset = log_of(tmp_path, rows, "click,item,site")
    vocabulary = read_vocabularies(dataset.place, dataset.manifest)["item"]
    good, unseen, bad = vocabulary.ids(pl.Series(["good", "never seen", "bad"])).tolist()
    high, middle, low = logits_of(dataset, fit_value_weights(dataset), [[good, 1], [unseen, 1], [bad, 1]])
    assert high > middle > low


def test_values_that_no_other_row_has_say_nothing(tmp_path: Path) -> None:
    rows = [[int(row % 3 == 0), f"i{row}", "s"] for row in range(90)]
    dataset = log_of(tmp_path, rows, "click,item,site")
    offset = fit_value_weights(dataset).offset[:, 0]
    assert np.ptp(offset) < 1e-3
    assert offset.mean() == pytest.approx(np.log(0.5), abs=0.02)


def test_a_feature_whose_values_were_made_to_have_one_rate_is_left_out(tmp_path: Path) -> None:
    """Each user has one click and one negative drawn for it, so that a user's other row tells its label."""
    draws = np.random.default_rng(1)
    pairs = [(user, label) for user in range(200) for label in (0, 1)]
    rows = [[label, f"u{user}", f"s{int(draws.random() < 0.3 + 0.4 * label)}"] for user, label in pairs]
    draws.shuffle(rows)
    dataset = log_of(tmp_path, rows, "click,item,site")
    fitted = fit_value_weights(dataset)
    users = dataset.schema.categorical[0].num_ids
    assert not fitted.weights[:users].any()
    assert fitted.weights[users:].any()


def test_a_weight_that_all_rows_have_changes_nothing(tmp_path: Path) -> None:
    rows = clicks()
    (tmp_path / "weighted").mkdir()
    plain = fit_value_weights(log_of(tmp_path, rows, "click,item,site"))
    weighted = log_of(tmp_path / "weighted", [[*row, 3] for row in rows], "click,item,site,mass", weight="mass")
    np.testing.assert_allclose(fit_value_weights(weighted).weights, plain.weights, atol=1e-5)


def test_two_tasks_have_the_weights_that_each_has_alone(tmp_path: Path) -> None:
    draws = np.random.default_rng(7)
    rows = [[*row, int(draws.random() < 0.3)] for row in clicks()]
    folders = {name: tmp_path / name for name in ("both", "one", "other")}
    for folder in folders.values():
        folder.mkdir()
    columns = "click,item,site,buy"
    both = fit_value_weights(
        log_of(folders["both"], rows, columns, label=None, labels={"click": "click", "buy": "buy"})
    )
    alone = [fit_value_weights(log_of(folders[name], rows, columns, label=label)) for name, label in
             (("one", "click"), ("other", "buy"))]  # fmt: skip
    np.testing.assert_allclose(both.weights, np.concatenate([each.weights for each in alone], axis=1), atol=1e-6)
    np.testing.assert_allclose(both.offset, np.concatenate([each.offset for each in alone], axis=1), atol=1e-6)


def test_a_sequence_counts_with_the_mean_of_its_elements(tmp_path: Path) -> None:
    draws = np.random.default_rng(2)
    rows = []
    for label, item, site in clicks():
        liked = [f"i{int(draws.integers(30))}" for _ in range(int(draws.integers(3)))]
        rows.append([label, item, site, "|".join([*liked, item] if label else liked)])
    fields = [
        {"kind": "categorical", "column": ["item", "site"]},
        {"kind": "sequence", "column": "past", "separator": "|", "max_length": 3, "shares": "item"},
    ]
    dataset = log_of(tmp_path, rows, "click,item,site,past", fields=fields)
    fitted = fit_value_weights(dataset)
    rates = build_value_rates(dataset.schema)
    rates.set(torch.from_numpy(fitted.weights), torch.from_numpy(fitted.bias))
    (shard,) = dataset.split("train").shards
    batch = Batch(
        categorical=torch.from_numpy(shard.categorical.copy()),
        numeric=torch.zeros(len(rows), 0),
        labels=None,
        group=None,
        sequence=torch.from_numpy(shard.sequence.copy()),  # type: ignore[union-attr]
    )
    found = rates(batch)[:, 0].numpy()
    assert np.corrcoef(found, fitted.offset[:, 0])[0, 1] > 0.8


def test_what_training_sees_otherwise_is_added_to_all_logits(tmp_path: Path) -> None:
    dataset = log_of(tmp_path, clicks(), "click,item,site")
    plain, shifted = fit_value_weights(dataset), fit_value_weights(dataset, shift=2.0)
    np.testing.assert_allclose(shifted.offset, plain.offset + 2, atol=1e-5)
    np.testing.assert_allclose(shifted.bias, plain.bias + 2, atol=1e-5)
    assert (shifted.weights == plain.weights).all()

"""Several processes take the steps of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.every_model import VARIANTS, small
from tests.training.distributed.shared_training import (
    NUM_ROWS,
    assert_replicas,
    log_values,
    small_recipe,
    steps_on_ranks,
    write_log,
)

from rankelastor.recipes.load import recipe_from_values

MLP = {"kind": "mlp", "embedding_dim": 4, "hidden_dims": [8]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log, which is prepared once for all trainings on the same fields."""
    folder = tmp_path_factory.mktemp("shared")
    write_log(folder / "clicks")
    return folder


ADAGRAD = {"embedding_rule": "rowwise_adagrad", "embedding_learning_rate": 0.02, "embedding_l2": 1e-3}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "lazy Adam and averaged weights": (MLP, {"averaged_weights": {"decay": 0.9}}),
    "dense Adam and a clipped gradient": (MLP, {"embedding_updates": "dense", "clip_norm": 0.01}),
    "row-wise Adagrad": (MLP, {"embedding_l2": None, "optimiser": ADAGRAD}),
    "thinned negatives": (MLP, {"negatives_kept": 0.5}),
    "windows": (MLP, {"order": {"kind": "window", "block_rows": 4, "window_rows": 32}}),
    "batch normalisation": (MLP | {"batch_norm": True}, {}),
    "pairs within groups": (MLP, {"objective": {"kind": "pairwise", "cross_entropy": 0.5}}),
    "lists within groups": (MLP, {"objective": {"kind": "listwise"}}),
    "slices": (MLP, {"slice_examples": 3}),
}
QUICK = {
    "lazy Adam and averaged weights",
    "dense Adam and a clipped gradient",
    "batch normalisation",
    "pairs within groups",
}
TOLERANCE = 1e-9
"""Of losses. Adam divides gradients by their size, so that weights whose gradient is 0 but for rounding differ more."""


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case in QUICK else [pytest.mark.slow]) for case in CASES]
)
def test_ranks_have_the_losses_of_one_process(case: str, size: int, folder: Path) -> None:
    model, training = CASES[case]
    recipe = small_recipe(folder, model, **training)
    (alone,) = steps_on_ranks(recipe, 1)
    ranks = steps_on_ranks(recipe, size)
    assert_replicas(ranks)
    assert ranks[0].losses == pytest.approx(alone.losses, abs=TOLERANCE)
    for name, tensor in alone.state.items():
        assert torch.allclose(ranks[0].state[name].double(), tensor.double(), rtol=0, atol=1e-8), name


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_model_of_the_catalogue_trains_on_three_ranks(name: str, folder: Path) -> None:
    model = without_dropout(small(name).model_dump(mode="json"))
    recipe = small_recipe(folder, model, embedding_updates="dense")
    (alone,) = steps_on_ranks(recipe, 1, num_steps=6)
    ranks = steps_on_ranks(recipe, 3, num_steps=6)
    assert_replicas(ranks)
    assert ranks[0].losses == pytest.approx(alone.losses, abs=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize(("weighted", "tolerance"), [(False, TOLERANCE), (True, 1e-6)])  # weights are summed in fp32
def test_sequences_and_weights_train_on_ranks(weighted: bool, tolerance: float, tmp_path: Path) -> None:
    write_log(tmp_path / "clicks")
    values = log_values(tmp_path, MLP | {"sequence": {"kind": "target_attention", "activation": "dice"}})
    past = {"kind": "sequence", "column": "past", "separator": "|", "max_length": 3, "shares": "item"}
    values["data"]["fields"].append(past)
    if weighted:
        values["data"]["weight"] = "weight"
    recipe = recipe_from_values(values)
    (alone,) = steps_on_ranks(recipe, 1)
    ranks = steps_on_ranks(recipe, 2)
    assert_replicas(ranks)
    assert ranks[0].losses == pytest.approx(alone.losses, abs=tolerance)


def test_losses_in_fp32_agree_to_six_digits_and_rows_are_the_epoch(folder: Path) -> None:
    recipe = small_recipe(folder, MLP)
    (alone,) = steps_on_ranks(recipe, 1, num_steps=12, double=False)
    ranks = steps_on_ranks(recipe, 4, num_steps=12, double=False)
    assert_replicas(ranks)
    assert ranks[0].losses == pytest.approx(alone.losses, abs=1e-6)
    for step, rows in enumerate(alone.rows):
        shares = [rank.rows[step] for rank in ranks]
        assert torch.equal(torch.cat(shares), rows)  # disjoint, and together the batch
    assert [len(rank.rows[5]) for rank in ranks] == [1, 1, 1, 2]
    assert sum(len(rows) for rank in ranks for rows in rank.rows) == 2 * NUM_ROWS


def test_a_rank_may_have_no_row_of_the_last_batch(folder: Path) -> None:
    recipe = small_recipe(folder, MLP | {"batch_norm": True}, batch_size=29)  # three batches, and one of 3 rows
    (alone,) = steps_on_ranks(recipe, 1, num_steps=8)
    ranks = steps_on_ranks(recipe, 4, num_steps=8)
    assert [len(rank.rows[3]) for rank in ranks] == [0, 1, 1, 1]
    assert_replicas(ranks)
    assert ranks[0].losses == pytest.approx(alone.losses, abs=TOLERANCE)


def test_dropout_draws_other_masks_on_each_rank_and_replicas_stay_alike(folder: Path) -> None:
    recipe = small_recipe(folder, MLP | {"dropout": 0.5})
    assert_replicas(steps_on_ranks(recipe, 2, num_steps=6))


def without_dropout(values: Any) -> Any:
    """Set each dropout rate in settings to 0."""
    if isinstance(values, dict):
        return {key: 0.0 if key.endswith("dropout") else without_dropout(value) for key, value in values.items()}
    return [without_dropout(value) for value in values] if isinstance(values, list) else values

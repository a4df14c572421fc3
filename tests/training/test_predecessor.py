"""Training from a run: `prepare --extend` and `train --from` from day to day, and what is refused."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.further_days import recipe_of, write_days
from tests.training.resumed_runs import EVERY_STEP, Kill, KilledError

from rankelastor.bundles.make import BundleOptions, bundle_run
from rankelastor.data.prepare import prepare
from rankelastor.errors import RunError
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.checkpoints import list_checkpoints, read_checkpoint
from rankelastor.runs.ensemble_folder import write_members
from rankelastor.runs.load import load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.observers import SilentObserver, Step
from rankelastor.training.run import train


@pytest.fixture(autouse=True)
def _days(tmp_path: Path) -> None:
    write_days(tmp_path)


class Losses(SilentObserver):
    """Keeps the loss of each step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_step(self, step: Step) -> None:
        self.values.append(float(step.loss))


def last_state_of(run: Path) -> Mapping[str, torch.Tensor]:
    (checkpoint,) = list_checkpoints(RunFolder(run).checkpoints)
    return read_checkpoint(checkpoint).tensors


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(RunFolder(run).best_weights)


def test_with_the_same_data_training_goes_on_as_a_resumed_run(tmp_path: Path) -> None:
    """One batch is an epoch, so that the order of its rows changes no more than the last bits."""
    changes = {"training.monitor": "logloss", "training.learning_rate": 1e-2}
    first = train(recipe_of(tmp_path, 0, **changes), folder=tmp_path / "first")
    assert first.result.best_epoch == 2, "else the best weights are gone on from"
    shutil.copytree(first.folder, tmp_path / "resumed")
    resumed, carried = Losses(), Losses()
    train(
        recipe_of(tmp_path, 0, **changes, **{"training.epochs": 4}),
        folder=tmp_path / "resumed",
        resume=True,
        observers=[resumed],
    )
    after = train(
        recipe_of(tmp_path, 0, **changes), folder=tmp_path / "after", start_from=first.folder, observers=[carried]
    )
    assert len(carried.values) == 2
    np.testing.assert_allclose(carried.values, resumed.values, rtol=1e-5)
    for name, tensor in last_state_of(tmp_path / "resumed").items():
        if name.startswith("model"):
            torch.testing.assert_close(last_state_of(after.folder)[name], tensor, rtol=1e-4, atol=1e-6)
    told = RunFolder(after.folder).environment()["started_from"]
    assert told["run"] == str(first.folder.resolve())
    assert told["optimizer"] is True


def test_rows_of_known_items_begin_as_they_were_and_those_of_new_ones_as_unseen(tmp_path: Path) -> None:
    first = train(recipe_of(tmp_path, 0), folder=tmp_path / "first")
    recipe = recipe_of(tmp_path, 1, **{"training.learning_rate": 1e-12, "training.epochs": 1})
    prepare(recipe.data, extend=tmp_path / "prepared-0")
    second = train(recipe, folder=tmp_path / "second", start_from=first.folder)
    before, after = load_run(first.folder), load_run(second.folder)

    def row(run: Any, item: int) -> torch.Tensor:
        rows = run.ranker.embedding.row_ranges[0]
        vector: torch.Tensor = run.ranker.embedding.table[rows][item - 1]
        return vector.detach()

    unseen = before.encoder.vocabularies["item"].out_of_vocabulary_id
    known = set(before.encoder.vocabularies["item"].known_ids.tolist())
    vocabulary = after.encoder.vocabularies["item"]
    assert vocabulary.out_of_vocabulary_id == unseen
    for index in vocabulary.known_ids.tolist():
        source = row(before, index if index in known else unseen)
        torch.testing.assert_close(row(after, index), source, rtol=0, atol=1e-8)
    assert set(vocabulary.known_ids.tolist()) - known


def value_rates_of(run: Any) -> torch.Tensor:
    rates = run.ranker.embedding.value_rates
    assert rates is not None
    found: torch.Tensor = rates.weights
    return found


def test_value_rates_are_those_of_the_run_and_its_own_rows_do_not_see_their_labels(tmp_path: Path) -> None:
    changes = {"model.value_rates": True, "training.learning_rate": 1e-12, "training.epochs": 1}
    losses = {name: Losses() for name in ("first", "same rows", "new rows")}
    first = train(recipe_of(tmp_path, 0, **changes), folder=tmp_path / "first", observers=[losses["first"]])
    again = train(
        recipe_of(tmp_path, 0, **changes),
        folder=tmp_path / "again",
        start_from=first.folder,
        observers=[losses["same rows"]],
    )
    assert losses["same rows"].values == pytest.approx(losses["first"].values, abs=1e-6)
    recipe = recipe_of(tmp_path, 1, **changes)
    prepare(recipe.data, extend=tmp_path / "prepared-0")
    later = train(recipe, folder=tmp_path / "later", start_from=first.folder, observers=[losses["new rows"]])
    before, after, same = (load_run(run.folder) for run in (first, later, again))
    assert torch.equal(value_rates_of(same), value_rates_of(before))
    item, unseen = before.encoder.schema.categorical[0], before.encoder.vocabularies["item"].out_of_vocabulary_id
    known = set(before.encoder.vocabularies["item"].known_ids.tolist())
    for index in after.encoder.vocabularies["item"].known_ids.tolist():
        source = index if index in known else unseen
        assert value_rates_of(after)[index] == value_rates_of(before)[source], item.name
    assert value_rates_of(before).any()


def test_the_best_weights_are_gone_on_from_not_the_last(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, 0, **{"training.epochs": 6, "training.learning_rate": 0.3})
    first = train(recipe, folder=tmp_path / "first")
    assert first.result.best_epoch < first.result.epochs, "else the test says nothing"
    frozen = recipe_of(tmp_path, 0, **{"training.epochs": 1, "training.learning_rate": 1e-12})
    after = train(frozen, folder=tmp_path / "after", start_from=first.folder)
    for name, tensor in weights_of(first.folder).items():
        torch.testing.assert_close(weights_of(after.folder)[name], tensor, rtol=0, atol=1e-8)


def test_a_run_without_a_state_of_its_optimizer_gives_its_weights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = train(recipe_of(tmp_path, 0, **{"training.checkpoint.keep_after_end": False}), folder=tmp_path / "first")
    frozen = recipe_of(tmp_path, 0, **{"training.epochs": 1, "training.learning_rate": 1e-12})
    with caplog.at_level(logging.WARNING):
        after = train(frozen, folder=tmp_path / "after", start_from=first.folder)
    assert "kept no state of its optimizer" in caplog.text
    for name, tensor in weights_of(first.folder).items():
        torch.testing.assert_close(weights_of(after.folder)[name], tensor, rtol=0, atol=1e-8)


def test_a_killed_training_goes_on_as_it_began(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, 0, **EVERY_STEP)
    first = train(recipe, folder=tmp_path / "first")
    whole = train(recipe, folder=tmp_path / "whole", start_from=first.folder)
    with pytest.raises(KilledError):
        train(recipe, folder=tmp_path / "killed", start_from=first.folder, observers=[Kill(2)])
    with pytest.raises(RunError, match=r"must be resumed as it began, but .* began from a run"):
        train(recipe, folder=tmp_path / "killed")
    again = train(recipe, folder=tmp_path / "killed", start_from=first.folder)
    assert again.result.metrics == whole.result.metrics


def test_epochs_of_former_trainings_count_for_scheduled_layers(tmp_path: Path) -> None:
    first = train(recipe_of(tmp_path, 0), folder=tmp_path / "first")
    second = train(recipe_of(tmp_path, 0), folder=tmp_path / "second", start_from=first.folder)
    (checkpoint,) = list_checkpoints(RunFolder(second.folder).checkpoints)
    assert read_checkpoint(checkpoint).values["epochs"]["epochs_before"] == 2


def test_settings_of_the_model_that_are_left_out_are_those_of_the_run(tmp_path: Path) -> None:
    first = train(recipe_of(tmp_path, 0), folder=tmp_path / "first")
    values = recipe_of(tmp_path, 0).given
    values |= {"version": 2, "model": {"kind": "mlp", "hidden_dims": [6]}}
    after = train(recipe_from_values(values), folder=tmp_path / "after", start_from=first.folder)
    assert RunFolder(after.folder).recipe().model == RunFolder(first.folder).recipe().model


def test_what_does_not_fit_the_run_is_refused(tmp_path: Path) -> None:
    first = train(recipe_of(tmp_path, 0), folder=tmp_path / "first")

    def refused(recipe: Recipe, words: str, start_from: Path = first.folder) -> None:
        with pytest.raises(RunError, match=words):
            train(recipe, folder=tmp_path / "other", start_from=start_from)
        assert not (tmp_path / "other").exists()

    refused(recipe_of(tmp_path, 0, model={"kind": "fm"}), "has mlp and the recipe fm; train anew")
    refused(
        recipe_of(tmp_path, 0, **{"model.hidden_dims": [7]}), r"model\.hidden_dims was \[6\] there and is \[7\] here"
    )
    refused(recipe_of(tmp_path, 1), "must extend those of the run, but .* values of item, site, past")
    fields = [{"kind": "categorical", "column": "item"}]
    other = recipe_of(tmp_path, 1, **{"data.fields": fields, "data.prepared": str(tmp_path / "few")})
    refused(other, "must go on with the features of its run, but .*features")
    refused(recipe_of(tmp_path, 0), "does not exist", tmp_path / "nowhere")
    shutil.copytree(first.folder, tmp_path / "unfinished")
    (tmp_path / "unfinished" / "result.json").unlink()
    refused(recipe_of(tmp_path, 0), "must go on from a finished run", tmp_path / "unfinished")
    bundle_run(first.folder, tmp_path / "first.rank", options=BundleOptions(with_examples=False, measure=False))
    refused(recipe_of(tmp_path, 0), "is a bundle, which holds no state", tmp_path / "first.rank")


def test_sharded_tables_are_refused(tmp_path: Path) -> None:
    first = train(recipe_of(tmp_path, 0), folder=tmp_path / "first")
    recipe = recipe_of(tmp_path, 0)
    changes = {"training.distributed.embedding": "sharded", "training.optimiser.embedding_rule": "rowwise_adagrad"}
    with pytest.raises(RunError, match="must have replicated tables to go on"):
        train(with_overrides(recipe, changes), folder=tmp_path / "second", start_from=first.folder)


def test_an_ensemble_is_refused(tmp_path: Path) -> None:
    first = train(recipe_of(tmp_path, 0), folder=tmp_path / "first")
    write_members(first.folder, ["seed-1"])
    with pytest.raises(RunError, match="is an ensemble; name one of its members"):
        train(recipe_of(tmp_path, 0), folder=tmp_path / "other", start_from=first.folder)


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    first = train(recipe_of(tmp_path, 0), folder=tmp_path / "first")
    (checkpoint,) = list_checkpoints(RunFolder(first.folder).checkpoints)
    state = checkpoint / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text())))
    with pytest.raises(RunError, match="a checkpoint must be whole"):
        train(recipe_of(tmp_path, 0), folder=tmp_path / "other", start_from=first.folder)

"""Tests that runs are loaded on the device asked for, also from folders of version 0.1.0."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rankelastor.errors import RunError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.load import load_run
from rankelastor.training.run import TrainedRun, train

OLD_NAMES = {
    "network.tokenizer.mlp.out": "backbone.tokenizer.mlp.0",
    "network.blocks.0.pffn.ffn.layers.0.norm": "backbone.blocks.0.pffn.ffn.0",
    "network.blocks.0.pffn.ffn.layers.0.gate": "backbone.blocks.0.pffn.ffn.1",
    "network.blocks.0.pffn.ffn.out": "backbone.blocks.0.pffn.ffn.3",
    "network.head.hidden": "backbone.head.mlp.0",
    "network.head.out": "backbone.head.mlp.2",
    "network.": "backbone.",
}


@pytest.fixture
def run(recipe: Recipe, tmp_path: Path) -> TrainedRun:
    """A finished run."""
    return train(recipe, folder=tmp_path / "run")


def old_name(name: str) -> str:
    for new, old in OLD_NAMES.items():
        if name.startswith(new):
            return old + name.removeprefix(new)
    return name


def test_a_run_is_shown_in_one_line_with_its_auc(run: TrainedRun) -> None:
    shown = f"({str(run.folder)!r}, rankelastor, valid AUC {run.result.valid['auc']:.6f}, test AUC "
    assert repr(run).startswith(f"TrainedRun{shown}")
    assert repr(load_run(run.folder)).startswith(f"LoadedRun{shown}")
    assert repr(load_run(run.folder).dataset()).endswith("3 fields, train 10 rows, valid 10 rows, test 10 rows)")
    (run.folder / "result.json").unlink()
    assert repr(load_run(run.folder)) == f"LoadedRun({str(run.folder)!r}, rankelastor, stopped before the end)"


@pytest.mark.parametrize("damage", ["schema.json", "vocabulary/site.parquet"])
def test_a_damaged_run_is_to_be_restored_since_preparing_does_not_help(run: TrainedRun, damage: str) -> None:
    (run.folder / "features" / damage).write_text("damaged")
    with pytest.raises(RunError, match=r"must be whole, but .*; restore .*run from a copy, or train again$") as caught:
        load_run(run.folder)
    assert "prepare(" not in str(caught.value)


def test_the_ranker_goes_to_the_device_asked_for(run: TrainedRun) -> None:
    loaded = load_run(run.folder, device=torch.device("cpu"))
    assert next(loaded.ranker.parameters()).device == torch.device("cpu")
    assert not loaded.ranker.training


def test_a_folder_of_version_0_1_0_evaluates_as_it_did(run: TrainedRun) -> None:
    weights = run.folder / "checkpoints" / "best.safetensors"
    old = {old_name(name): tensor for name, tensor in load_file(weights).items()}
    assert any(name.startswith("backbone.blocks.0.pffn.ffn.1.lift") for name in old)
    save_file(old, weights)
    (run.folder / "environment.json").write_text(json.dumps({"packages": {"rankelastor": "0.1.0"}}))
    assert evaluate(run.folder, split="test").as_dict() == run.result.test

"""Tests that runs are loaded on the device asked for, also from folders of version 0.1.0."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.data.older_folders import make_older

from rankelastor.errors import RankElastorError, RunError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.load import load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.weights import read_weights
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


def flip(file: Path, place: int) -> None:
    """Flip a bit of the byte at a place of a file, counted from its end if negative."""
    data = bytearray(file.read_bytes())
    data[place] ^= 0x40
    file.write_bytes(data)


WEIGHTS = "checkpoints/best.safetensors"


def test_a_flipped_bit_anywhere_in_the_weights_is_refused(run: TrainedRun) -> None:
    file = run.folder / WEIGHTS
    whole = file.read_bytes()
    for place in range(0, len(whole), 1 + len(whole) // 300):
        flip(file, place)
        with pytest.raises(RunError, match=r"best\.safetensors must (be whole|hold)|newer version"):
            read_weights(file)
        file.write_bytes(whole)
    load_run(run.folder)


@pytest.mark.parametrize("name", ["config.yaml", "environment.json", "checksums.json", "features/schema.json"])
def test_a_flipped_bit_in_any_part_is_refused_or_changes_nothing(run: TrainedRun, name: str) -> None:
    expected = load_run(run.folder)
    whole = (run.folder / name).read_bytes()
    for place in range(0, len(whole), 1 + len(whole) // 10):
        flip(run.folder / name, place)
        with suppress(RankElastorError):
            loaded = load_run(run.folder)
            assert loaded.recipe.model == expected.recipe.model
            assert loaded.encoder.manifest == expected.encoder.manifest
        (run.folder / name).write_bytes(whole)


def test_a_changed_model_is_refused_and_a_moved_data_folder_is_not(run: TrainedRun) -> None:
    config = run.folder / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("prepared: ", "prepared: /elsewhere"))
    assert load_run(run.folder).recipe.data.prepared.startswith("/elsewhere")
    assert "dropout: 0.0" in text
    config.write_text(text.replace("dropout: 0.0", "dropout: 0.5"))
    with pytest.raises(RunError, match=r"config.yaml must be whole, but settings other than data, training.execution"):
        load_run(run.folder)


CHANGES: dict[str, Callable[[pa.Table], pa.Table]] = {
    "cut": lambda table: table.slice(1),
    "emptied": lambda table: table.slice(0, 0),
    "reversed": lambda table: table.take(list(reversed(range(len(table))))),
    "of integers": lambda table: table.set_column(0, "value", pa.array(range(len(table)))),
    "of nothing": lambda table: table.set_column(0, "value", pa.nulls(len(table), pa.string())),
}


def test_a_changed_vocabulary_gives_no_other_probabilities(run: TrainedRun) -> None:
    file = run.folder / "features" / "vocabulary" / "site.parquet"
    table = pq.read_table(file)
    for change in CHANGES.values():
        pq.write_table(change(table), file)
        with pytest.raises(RunError, match=r"site\.parquet must be whole, but (it has|its contents)"):
            load_run(run.folder)


def read_all(folder: Path) -> None:
    load_run(folder)
    RunFolder.open(folder).result()


def test_a_part_that_cannot_be_read_is_a_message(run: TrainedRun) -> None:
    parts = (WEIGHTS, "config.yaml", "environment.json", "checksums.json", "result.json", "features/schema.json")
    for part in (run.folder / name for name in parts):
        part.rename(part.with_name("aside"))
        part.mkdir()  # as unreadable for the administrator as a file without permission is for others
        with pytest.raises(RankElastorError, match=part.name):
            read_all(run.folder)
        part.rmdir()
        part.with_name("aside").rename(part)
    read_all(run.folder)


def test_parts_of_another_run_are_refused(run: TrainedRun, recipe: Recipe, tmp_path: Path) -> None:
    data = recipe.data.model_copy(update={"prepared": str(tmp_path / "other_prepared")})
    files = Path(recipe.data.files.folder)
    train_file = files / "train.csv"
    lines = train_file.read_text().splitlines(keepends=True)
    train_file.write_text("".join([lines[0], *reversed(lines[1:])]))
    other = train(recipe.model_copy(update={"data": data}), folder=tmp_path / "other")
    shutil.rmtree(run.folder / "features")
    shutil.copytree(other.folder / "features", run.folder / "features")
    with pytest.raises(RunError, match=r"must hold weights that were trained on the features beside it"):
        load_run(run.folder)


def test_a_run_without_its_checksums_is_refused(run: TrainedRun) -> None:
    (run.folder / "checksums.json").unlink()
    with pytest.raises(RunError, match=r"a run folder must hold checksums.json, but .*run does not"):
        load_run(run.folder)


def test_a_damaged_result_is_refused(run: TrainedRun) -> None:
    file = run.folder / "result.json"
    file.write_text(file.read_text().replace('"best_epoch": ', '"best_epoch": 1'))
    with pytest.raises(RunError, match=r"result.json must be whole, but it has"):
        RunFolder.open(run.folder).result()


def test_weights_of_earlier_versions_must_be_finite(run: TrainedRun) -> None:
    tensors = load_file(run.folder / WEIGHTS)
    tensors["network.head.out.bias"].fill_(float("nan"))
    save_file(tensors, run.folder / WEIGHTS)
    with pytest.raises(RunError, match=r"must hold finite weights, but network.head.out.bias is not finite"):
        load_run(run.folder)


def test_the_ranker_goes_to_the_device_asked_for(run: TrainedRun) -> None:
    loaded = load_run(run.folder, device=torch.device("cpu"))
    assert next(loaded.ranker.parameters()).device == torch.device("cpu")
    assert not loaded.ranker.training


def test_a_folder_of_version_0_1_0_evaluates_as_it_did(run: TrainedRun) -> None:
    weights = run.folder / "checkpoints" / "best.safetensors"
    old = {old_name(name): tensor for name, tensor in load_file(weights).items()}
    assert any(name.startswith("backbone.blocks.0.pffn.ffn.1.lift") for name in old)
    save_file(old, weights)
    make_older(run.folder / "features")
    (run.folder / "checksums.json").unlink()
    (run.folder / "environment.json").write_text(json.dumps({"packages": {"rankelastor": "0.1.0"}}))
    assert evaluate(run.folder, split="test").as_dict() == run.result.test

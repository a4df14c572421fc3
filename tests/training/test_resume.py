"""A run that was stopped and goes on is the run that was never stopped, bit for bit."""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.every_model import VARIANTS, small
from tests.models.test_tasks import SHARINGS
from tests.training import item_log
from tests.training.resumed_runs import EVERY_STEP, Kill, KilledError, assert_same, stop_and_go_on

from rankelastor.errors import RunError, StorageError
from rankelastor.execution.recording import Recording
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.checkpoints import list_checkpoints, read_checkpoint
from rankelastor.runs.run_folder import RunFolder
from rankelastor.spectrum.runs.observer import SpectrumObserver
from rankelastor.training.observers import Evaluation, SilentObserver
from rankelastor.training.run import train

NUM_ROWS, BATCH_SIZE = 90, 16
STEPS_PER_EPOCH = 6  # five batches of 16 and one of 10


@pytest.fixture
def log_folder(tmp_path: Path) -> Path:
    """A log of 90 rows with two labels, whose items are mostly rare."""
    folder = tmp_path / "clicks"
    folder.mkdir()
    draws = np.random.default_rng(5)
    for split in ("train", "valid", "test"):
        lines = ["click,buy,item,site,price,user,past"]
        for _ in range(NUM_ROWS):
            item, site = int(draws.integers(300)), int(draws.integers(6))
            click = int(draws.random() < 0.2 + 0.1 * site)
            buy = int(draws.random() < 0.5)
            price, user = draws.random(), int(draws.integers(9))
            past = "|".join(f"i{int(draws.integers(300))}" for _ in range(int(draws.integers(4))))
            lines.append(f"{click},{buy},i{item},s{site},{price:.3f},u{user},{past}")
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def values(log_folder: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "name": "small",
        "data": {
            "prepared": str(tmp_path / "prepared"),
            "files": {"folder": str(log_folder), "train": "train.csv", "valid": "valid.csv", "test": "test.csv"},
            "label": "click",
            "fields": [
                {"kind": "categorical", "column": ["item", "site"]},
                {"kind": "numeric", "column": "price"},
                {"kind": "group", "column": "user"},
            ],
        },
        "model": {
            "kind": "rankelastor",
            "embedding_dim": 4,
            "token_dim": 8,
            "num_tokens": 2,
            "num_blocks": 1,
            "tokenizer": {"kind": "joint"},
            "ffn": {"kind": "glu", "hidden_dims": [8], "dropout": 0.2},
        },
        "training": {
            "epochs": 2,
            "batch_size": BATCH_SIZE,
            "embedding_l2": 1e-3,
            "embedding_updates": "lazy",
            "patience": 9,
            "baseline": False,
        },
    }


SELDOM = {
    "slices",
    "the first step",
    "no rare values",
    "weighted positives",
    "no clipping",
    "early stopping",
    "without reading ahead",
    "thinned negatives",
    "the last step",
    "a rotation that follows the tokens",
    "from the base rate",
    "a monitor of two metrics",
    "averaged weights and dense rows",
}
"""Cases of the matrix that only the slow suite tries."""
MATRIX: dict[str, tuple[dict[str, Any], list[int]]] = {
    "dropout and lazy rows": ({}, [9]),
    "killed twice": ({}, [4, 10]),
    "the last batch of an epoch": ({}, [STEPS_PER_EPOCH]),
    "the first step": ({}, [2]),
    "the last step": ({}, [2 * STEPS_PER_EPOCH]),
    "rows idle for more than 32 steps": ({"training.epochs": 7}, [38]),
    "dense rows": ({"training.embedding_updates": "dense"}, [9]),
    "slices": ({"training.slice_examples": 5}, [9]),
    "windows": ({"training.order": {"kind": "window", "block_rows": 4, "window_rows": 32}}, [9]),
    "thinned negatives": ({"training.negatives_kept": 0.5}, [5]),
    "no rare values": ({"training.rare_as_unseen.share": 0.0}, [9]),
    "weighted positives": ({"training.positive_weight": 3.0}, [9]),
    "no clipping": ({"training.clip_norm": None}, [9]),
    "a plateau in the middle of a drop": (
        {"training.min_delta": 0.5, "training.rate_drop": 0.5, "training.patience": 4, "training.epochs": 6},
        [21],
    ),
    "early stopping": ({"training.min_delta": 0.9, "training.patience": 2, "training.epochs": 6}, [14]),
    "scheduled mixing": (
        {
            "model.mixing": {
                "kind": "block",
                "block_dim": 4,
                "global_map": {"kind": "sinkhorn", "start_temperature": 1.0, "end_temperature": 0.2, "fall_epochs": 2},
            }
        },
        [9],
    ),
    "a rotation that follows the tokens": ({"model.rotation": {"kind": "eigenvalue"}}, [9]),
    "without reading ahead": ({"training.read_ahead": 0}, [9]),
    "from the base rate": ({"training.output_bias": "base_rate"}, [9]),
    "a monitor of two metrics": ({"training.monitor": {"auc": 1.0, "gauc": 0.5}}, [9]),
    "row-wise Adagrad, a cosine, and evaluations within epochs": (
        {
            "training.optimiser.embedding_rule": "rowwise_adagrad",
            "training.optimiser.embedding_learning_rate": 0.02,
            "training.schedule": {"kind": "cosine", "warmup_epochs": 0.5},
            "training.evaluate_every": 0.5,
        },
        [4, 11],
    ),
    "AdamW, rows with a rate of their own, and a warm-up": (
        {
            "training.optimiser.weight_decay": 0.1,
            "training.optimiser.embedding_learning_rate": 0.01,
            "training.embedding_updates": "dense",
            "training.schedule": {"kind": "plateau", "warmup_epochs": 1.5},
        },
        [8],
    ),
    "averaged weights and lazy rows": ({"training.averaged_weights": {"decay": 0.9}}, [9]),
    "averaged weights and dense rows": (
        {"training.averaged_weights": {"decay": 0.9}, "training.embedding_updates": "dense"},
        [9],
    ),
    "averaged weights and row-wise Adagrad": (
        {
            "training.averaged_weights": {"decay": 0.9},
            "training.optimiser.embedding_rule": "rowwise_adagrad",
            "training.evaluate_every": 0.5,
        },
        [4, 11],
    ),
    "early stopping within an epoch": (
        {"training.min_delta": 0.9, "training.patience": 2, "training.epochs": 6, "training.evaluate_every": 3},
        [9],
    ),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] if case in SELDOM else []) for case in MATRIX]
)
def test_a_run_that_was_stopped_ends_like_one_that_was_not(case: str, values: dict[str, Any], tmp_path: Path) -> None:
    overrides, at = MATRIX[case]
    recipe = with_overrides(recipe_from_values(values), overrides)
    train(recipe, folder=tmp_path / "whole")
    steps = stop_and_go_on(recipe, tmp_path / "parts", at=at)
    assert steps[:1] == [at[-1]]  # only the step that was not in the last checkpoint is repeated
    assert_same(tmp_path / "whole", tmp_path / "parts")


RECORDED = {**MATRIX, "no recordings": ({"training.record": "never"}, [9])}


@pytest.mark.parametrize(
    "case",
    ["dropout and lazy rows", "slices", "scheduled mixing", "a rotation that follows the tokens", "no recordings"],
)
def test_recorded_steps_make_the_same_run_as_others(
    case: str, values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeat, times = Recording.repeat, [0]

    def counted(*given: Any) -> Any:
        times[0] += 1
        return repeat(*given)

    monkeypatch.setattr(Recording, "repeat", counted)
    recipe = with_overrides(recipe_from_values(values), RECORDED[case][0])
    train(recipe, folder=tmp_path / "recorded")
    assert (times[0] > 0) is (case not in {"a rotation that follows the tokens", "no recordings"})
    times[0] = 0
    train(with_overrides(recipe, {"training.record": "never"}), folder=tmp_path / "plain")
    assert times[0] == 0
    assert_same(tmp_path / "recorded", tmp_path / "plain")


class KillInEvaluation(SilentObserver):
    """An observer that ends the training in its last evaluation, after the checkpoint of the last step."""

    def on_evaluation(self, evaluation: Evaluation) -> None:
        if evaluation.step == 2 * STEPS_PER_EPOCH:
            raise KilledError


@pytest.mark.parametrize("compiling", ["never", pytest.param("always", marks=pytest.mark.slow)])
def test_a_run_that_was_stopped_in_its_last_evaluation_takes_no_step_and_ends_the_same(
    compiling: str, values: dict[str, Any], tmp_path: Path
) -> None:
    recipe = with_overrides(recipe_from_values(values), {"training.compile": compiling} | EVERY_STEP)
    train(recipe, folder=tmp_path / "whole")
    with pytest.raises(KilledError):
        train(recipe, folder=tmp_path / "parts", observers=[KillInEvaluation()])
    last = Kill(0)
    train(recipe, folder=tmp_path / "parts", observers=[last])
    assert last.steps == []
    assert_same(tmp_path / "whole", tmp_path / "parts")


OUT_OF_THE_BOX: dict[str, tuple[dict[str, Any], list[int]]] = {
    "as it comes": ({}, [9]),
    "a cosine and AdamW": (
        {"training.schedule": {"kind": "cosine", "warmup_epochs": 0.5}, "training.optimiser.weight_decay": 0.1},
        [8],
    ),
    "row-wise Adagrad": (
        {"training.optimiser.embedding_rule": "rowwise_adagrad", "training.optimiser.embedding_learning_rate": 0.02},
        [5, 11],
    ),
}
"""What a recipe adds that names its model alone and leaves the rest to the facts of its data."""


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] if index else []) for index, case in enumerate(OUT_OF_THE_BOX)],
)
def test_a_recipe_out_of_the_box_goes_on(case: str, values: dict[str, Any], tmp_path: Path) -> None:
    overrides, at = OUT_OF_THE_BOX[case]
    values |= {"version": 2, "model": {"kind": "rankelastor"}, "training": {"epochs": 2}}
    recipe = with_overrides(recipe_from_values(values), overrides)
    train(recipe, folder=tmp_path / "whole")
    chosen = RunFolder.open(tmp_path / "whole").recipe().training
    assert (chosen.batch_size, chosen.evaluate_every, chosen.calibration.kind) == (BATCH_SIZE, 0.25, "auto")
    stop_and_go_on(recipe, tmp_path / "parts", at=at)
    assert_same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("kind", ["platt", pytest.param("isotonic", marks=pytest.mark.slow)])
def test_a_calibrated_run_goes_on(kind: str, tmp_path: Path) -> None:
    item_log.write_log(tmp_path)
    recipe = item_log.recipe(tmp_path, kind, epochs=3, batch_size=256)
    whole = train(recipe, folder=tmp_path / "whole").result
    assert whole.calibrators["click"].kind == kind
    assert whole.best_epoch < 3
    stop_and_go_on(recipe, tmp_path / "parts", at=[4, whole.steps - 1])  # the best weights lie behind the last stop
    assert_same(tmp_path / "whole", tmp_path / "parts")


QUICK = {"mlp-batch_norm", "multi_embedding"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in VARIANTS]
)
def test_every_model_of_the_catalogue_goes_on(name: str, values: dict[str, Any], tmp_path: Path) -> None:
    values["model"] = small(name).model_dump(mode="json")
    values["data"]["fields"][0]["column"].append("user")  # which a model crosses with another
    recipe = recipe_from_values(values)
    train(recipe, folder=tmp_path / "whole")
    stop_and_go_on(recipe, tmp_path / "parts", at=[9])
    assert_same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("sharing", ["one network", *(pytest.param(name, marks=pytest.mark.slow) for name in SHARINGS)])
def test_several_labels_go_on(sharing: str, values: dict[str, Any], tmp_path: Path) -> None:
    values["data"]["labels"] = {name: name for name in (values["data"].pop("label"), "buy")}
    values["training"]["task_weights"] = {"buy": 0.5}
    if (tasks := SHARINGS.get(sharing)) is not None:
        values["model"] = small("mlp", tasks=tasks).model_dump(mode="json")
    recipe = recipe_from_values(values)
    train(recipe, folder=tmp_path / "whole")
    stop_and_go_on(recipe, tmp_path / "parts", at=[9])
    assert_same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize(
    "layer",
    [
        "target_attention",
        pytest.param("transformer", marks=pytest.mark.slow),
        pytest.param("hstu", marks=pytest.mark.slow),
        pytest.param("mean", marks=pytest.mark.slow),
    ],
)
def test_sequences_go_on(layer: str, values: dict[str, Any], tmp_path: Path) -> None:
    past = {"kind": "sequence", "column": "past", "separator": "|", "max_length": 3, "shares": "item"}
    values["data"]["fields"].append(past)
    values["model"] = small("mlp", sequence={"kind": layer}).model_dump(mode="json")
    recipe = recipe_from_values(values)
    train(recipe, folder=tmp_path / "whole")
    stop_and_go_on(recipe, tmp_path / "parts", at=[9])
    assert_same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("kind", ["pairwise", pytest.param("listwise", marks=pytest.mark.slow)])
@pytest.mark.parametrize("order", ["uniform", pytest.param("window", marks=pytest.mark.slow)])
def test_losses_within_groups_go_on(kind: str, order: str, values: dict[str, Any], tmp_path: Path) -> None:
    values["training"] |= {"objective": {"kind": kind, "cross_entropy": 0.5}, "order": {"kind": order}}
    recipe = recipe_from_values(values)
    train(recipe, folder=tmp_path / "whole")
    stop_and_go_on(recipe, tmp_path / "parts", at=[9])
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_trainings_side_by_side_in_threads_are_those_of_one_alone(values: dict[str, Any], tmp_path: Path) -> None:
    recipe = recipe_from_values(values)
    train(recipe, folder=tmp_path / "alone")
    before = torch.get_rng_state()
    threads = [threading.Thread(target=train, args=[recipe], kwargs={"folder": tmp_path / name}) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in "ab":
        assert_same(tmp_path / "alone", tmp_path / name)
    assert torch.equal(torch.get_rng_state(), before)


def test_two_threads_go_on(values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rankelastor.execution.cores.BUSY_WORK", 1)
    monkeypatch.setattr("rankelastor.execution.slices.BUSY_WORK", 1)
    recipe = with_overrides(recipe_from_values(values), {"training.threads": 2})
    train(recipe, folder=tmp_path / "whole")
    stop_and_go_on(recipe, tmp_path / "parts", at=[9])
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_samples_of_the_spectrum_go_on(values: dict[str, Any], tmp_path: Path) -> None:
    values["spectrum"] = {"every_steps": 4, "warn_share": 1.0}
    recipe = recipe_from_values(values)
    for name in ("whole", "parts"):
        observer = SpectrumObserver(recipe.spectrum, tmp_path / name)
        if name == "whole":
            train(recipe, folder=tmp_path / name, observers=[observer])
        else:
            stop_and_go_on(recipe, tmp_path / name, at=[10], observers=[observer])
    assert_same(tmp_path / "whole", tmp_path / "parts")
    assert (tmp_path / "parts" / "spectrum" / "samples.jsonl").read_text().count("\n") == 4  # steps 1, 4, 8, 12


def test_a_checkpoint_at_every_step_changes_nothing(values: dict[str, Any], tmp_path: Path) -> None:
    recipe = with_overrides(recipe_from_values(values), {"training.epochs": 6})
    train(recipe, folder=tmp_path / "without")
    train(with_overrides(recipe, EVERY_STEP), folder=tmp_path / "with")
    assert_same(tmp_path / "without", tmp_path / "with")
    assert {path.name for path in (tmp_path / "with" / "checkpoints").iterdir()} == {"best.safetensors"}


def stopped(values: dict[str, Any], folder: Path, *, at: int = 9, **overrides: Any) -> Recipe:
    """Leave a run that was killed at a step, with checkpoints up to the step before."""
    recipe = with_overrides(recipe_from_values(values), EVERY_STEP | overrides)
    with pytest.raises(KilledError):
        train(recipe, folder=folder, observers=[Kill(at)])
    return recipe


def test_at_least_two_checkpoints_are_kept(values: dict[str, Any], tmp_path: Path) -> None:
    stopped(values, tmp_path / "run")
    found = list_checkpoints(tmp_path / "run" / "checkpoints")
    assert [path.name for path in found] == ["step-0000000008", "step-0000000007"]
    assert [read_checkpoint(path).step for path in found] == [8, 7]


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a flipped bit in the weights": lambda folder: flip_a_bit(folder / "state.safetensors"),
    "a flipped bit in the values": lambda folder: flip_a_bit(folder / "state.json"),
    "a flipped bit in the checksums": lambda folder: flip_a_bit(folder / "checksums.json"),
    "cut short": lambda folder: (folder / "state.safetensors").write_bytes(
        (folder / "state.safetensors").read_bytes()[:-9]
    ),
    "an empty file": lambda folder: (folder / "state.safetensors").write_bytes(b""),
    "an empty folder": empty,
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] if index else []) for index, case in enumerate(DAMAGE)]
)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    case: str, values: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = stopped(values, tmp_path / "run")
    DAMAGE[case](tmp_path / "run" / "checkpoints" / "step-0000000008")
    last = Kill(9)
    with pytest.raises(KilledError):
        train(recipe, folder=tmp_path / "run", observers=[last])
    assert last.steps == [8, 9]
    assert "a checkpoint must be whole, but of" in caplog.text
    assert list_checkpoints(tmp_path / "run" / "checkpoints")[0].name == "step-0000000008"


def test_if_all_checkpoints_are_damaged_nothing_is_trained(values: dict[str, Any], tmp_path: Path) -> None:
    recipe = stopped(values, tmp_path / "run")
    for path in list_checkpoints(tmp_path / "run" / "checkpoints"):
        (path / "state.json").unlink()
    with pytest.raises(RunError, match=r"must have a whole checkpoint, but all 2 in .* are damaged"):
        train(recipe, folder=tmp_path / "run")


def test_a_checkpoint_of_another_model_is_refused_with_the_difference(values: dict[str, Any], tmp_path: Path) -> None:
    recipe = stopped(values, tmp_path / "run")
    values["model"]["token_dim"] = 16
    stopped(values, tmp_path / "other")
    ours, theirs = (tmp_path / name / "checkpoints" / "step-0000000008" for name in ("run", "other"))
    shutil.rmtree(ours)
    shutil.copytree(theirs, ours)
    with pytest.raises(RunError, match=r"does not: model\.token_dim was 16 there and is 8 here; remove it"):
        train(recipe, folder=tmp_path / "run")


def test_other_settings_are_refused_with_the_difference(values: dict[str, Any], tmp_path: Path) -> None:
    recipe = with_overrides(stopped(values, tmp_path / "run"), {"training.seed": 2})
    with pytest.raises(RunError, match=r"unfinished run of other settings: training\.seed was 1 there and is 2 here"):
        train(recipe, folder=tmp_path / "run")
    with pytest.raises(
        RunError, match=r"with its own settings, but for .*run training\.seed was 1 there and is 2 here"
    ):
        train(recipe, folder=tmp_path / "run", resume=True)


def test_other_data_are_refused(values: dict[str, Any], log_folder: Path, tmp_path: Path) -> None:
    recipe = stopped(values, tmp_path / "run")
    with (log_folder / "train.csv").open("a") as file:
        file.write("1,0,i1,s1,0.5,u1,i1\n")
    shutil.rmtree(tmp_path / "prepared")
    with pytest.raises(RunError, match="must be resumed with the data that it began with, but they have changed"):
        train(recipe, folder=tmp_path / "run")


def test_more_epochs_are_allowed_when_resuming_and_recorded(values: dict[str, Any], tmp_path: Path) -> None:
    recipe = stopped(values, tmp_path / "run", **{"training.epochs": 2})
    longer = with_overrides(recipe, {"training.epochs": 3})
    with pytest.raises(RunError, match=r"training\.epochs was 2 there and is 3 here"):
        train(longer, folder=tmp_path / "run")
    train(longer, folder=tmp_path / "run", resume=True)
    train(with_overrides(longer, {"training.checkpoint.every_steps": None}), folder=tmp_path / "whole")
    assert_same(tmp_path / "whole", tmp_path / "run")
    noted = json.loads((tmp_path / "run" / "environment.json").read_text())["resumed"]
    assert [(part["after_step"], part["epochs_before"], part["epochs"]) for part in noted] == [(8, 2, 3)]
    assert RunFolder.open(tmp_path / "run").recipe().training.epochs == 3


def test_more_epochs_are_refused_where_the_learning_rate_falls_over_all_of_them(
    values: dict[str, Any], tmp_path: Path
) -> None:
    values["training"]["schedule"] = {"kind": "cosine"}
    recipe = stopped(values, tmp_path / "run")
    longer = with_overrides(recipe, {"training.epochs": 3})
    with pytest.raises(RunError, match=r"training\.schedule falls over training\.epochs, which must stay"):
        train(longer, folder=tmp_path / "run", resume=True)


def test_fewer_epochs_are_refused(values: dict[str, Any], tmp_path: Path) -> None:
    recipe = with_overrides(stopped(values, tmp_path / "run"), {"training.epochs": 1})
    with pytest.raises(RunError, match=r"training\.epochs may only grow"):
        train(recipe, folder=tmp_path / "run", resume=True)


def test_a_finished_run_goes_on_if_its_checkpoint_was_kept(values: dict[str, Any], tmp_path: Path) -> None:
    kept = {"training.checkpoint.keep_after_end": True}
    recipe = with_overrides(recipe_from_values(values), kept)
    train(recipe, folder=tmp_path / "run")
    with pytest.raises(RunError, match=r"must be unfinished, but .* has finished; give a larger"):
        train(recipe, folder=tmp_path / "run", resume=True)
    longer = with_overrides(recipe, {"training.epochs": 3})
    train(longer, folder=tmp_path / "run", resume=True)
    train(longer, folder=tmp_path / "whole")
    assert_same(tmp_path / "whole", tmp_path / "run")


def test_what_is_not_there_cannot_be_resumed(values: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"a run that is resumed must exist, but .*run does not"):
        train(recipe_from_values(values), folder=tmp_path / "run", resume=True)


def test_a_run_killed_before_its_first_checkpoint_starts_over(
    values: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = recipe_from_values(values)
    RunFolder.create(tmp_path / "run", recipe)  # what a process leaves that is killed at its first step
    train(recipe, folder=tmp_path / "run")
    assert "stopped before its first checkpoint: starting over" in caplog.text
    train(recipe, folder=tmp_path / "whole")
    assert_same(tmp_path / "whole", tmp_path / "run")


def test_two_processes_cannot_train_in_one_folder(values: dict[str, Any], tmp_path: Path) -> None:
    recipe = with_overrides(recipe_from_values(values), EVERY_STEP)
    refused: list[str] = []

    class Second(Kill):
        def on_step(self, step: Any) -> None:
            if step.index == 3:
                with pytest.raises(RunError) as caught:
                    train(recipe, folder=tmp_path / "run")
                refused.append(str(caught.value))

    train(recipe, folder=tmp_path / "run", observers=[Second(0)])
    assert len(refused) == 1
    assert "one process at a time must train in a run folder, but another one trains in" in refused[0]


def test_a_disk_that_is_full_stops_no_training(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> str:
        raise OSError(28, "No space left on device")

    recipe = with_overrides(recipe_from_values(values), EVERY_STEP)
    train(recipe, folder=tmp_path / "whole")
    monkeypatch.setattr("rankelastor.runs.checkpoints.write_tensors", full)
    train(recipe, folder=tmp_path / "run")
    assert "no checkpoint could be written after step 1: " in caplog.text
    assert "the disk is full; free some space; there is none yet" in caplog.text
    assert_same(tmp_path / "whole", tmp_path / "run")


@pytest.mark.slow
def test_a_clock_that_jumps_changes_nothing(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_from_values(values)
    train(recipe, folder=tmp_path / "whole")
    times = iter(range(10**9, -(10**9), -(10**6)))  # the time of day falls by eleven days at every look
    monkeypatch.setattr("time.time", lambda: float(next(times)))
    stop_and_go_on(recipe, tmp_path / "parts", at=[9])
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_another_machine_resumes_and_says_that_bits_differ(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = stopped(values, tmp_path / "run")
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "DEFAULT")
    train(recipe, folder=tmp_path / "run")
    assert "the bits of the result will differ from those of an unbroken run: instruction set was" in caplog.text


def test_a_word_is_said_about_going_on(
    values: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = stopped(values, tmp_path / "run")
    with caplog.at_level(logging.WARNING):
        train(recipe, folder=tmp_path / "run")
    assert "holds an unfinished run of these settings: going on after step 8" in caplog.text
    assert "going on after step 8" in (tmp_path / "run" / "train.log").read_text()
    assert "checkpoint" not in {thread.name.partition("_")[0] for thread in threading.enumerate()}


def test_checkpoints_hold_no_pickles(values: dict[str, Any], tmp_path: Path) -> None:
    stopped(values, tmp_path / "run")
    names = {path.name for path in (tmp_path / "run" / "checkpoints" / "step-0000000008").iterdir()}
    assert names == {"state.safetensors", "state.json", "best.safetensors", "best_valid.safetensors", "checksums.json"}


def test_a_run_folder_without_write_permission_is_refused(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = stopped(values, tmp_path / "run")

    def denied(*_: Any, **__: Any) -> None:  # root may write anywhere, so that a mode would not be heeded
        raise PermissionError(13, "Permission denied", str(tmp_path / "run"))

    monkeypatch.setattr(Path, "write_text", denied)
    with pytest.raises(StorageError, match="permission is denied; choose a place where you can write"):
        train(recipe, folder=tmp_path / "run")
    monkeypatch.undo()
    last = Kill(9)
    with pytest.raises(KilledError):
        train(recipe, folder=tmp_path / "run", observers=[last])
    assert last.steps == [9]  # nothing was lost

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rankelastor.config.averaged_weights import AveragedWeightsSettings
from rankelastor.data.prepare import prepare
from rankelastor.errors import RunError, SettingsError, StalePreparedError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.execution.lowering import has_kernels
from rankelastor.recipes.load import load_recipe, recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.load import load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.observers import Evaluation, SilentObserver, Step
from rankelastor.training.run import train
from rankelastor.training.step import Stepper

TIMES = {"seconds", "examples_per_second", "data_wait_share", "speed"}


def without_times(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key not in TIMES}


def test_a_run_folder_holds_what_it_took_and_what_came_out(recipe: Recipe, tmp_path: Path) -> None:
    run = train(recipe, folder=tmp_path / "run")
    names = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.is_file()}
    assert {"config.yaml", "environment.json", "metrics.jsonl", "result.json", "features/schema.json"} <= names
    assert "checkpoints/best.safetensors" in names
    assert load_recipe(run.folder / "config.yaml") == recipe
    result = json.loads((run.folder / "result.json").read_text())
    assert result == run.result.as_dict()
    assert RunFolder.open(run.folder).result() == run.result
    assert {"auc", "logloss", "gauc", "normalized_entropy", "num_examples"} <= result["test"].keys()
    assert result["valid"].keys() == result["test"].keys()
    assert set(result["cost"]) == {
        "dense_parameters",
        "embedding_parameters",
        "flops_per_example",
        "training_flops_per_example",
    }
    reached, peak = (result["speed"][f"{name}_flops_per_second"] for name in ("dense", "machine_peak"))
    assert reached == pytest.approx(
        result["cost"]["training_flops_per_example"] * result["examples_per_second"], rel=1e-3, abs=1
    )
    assert result["speed"]["share_of_machine_peak"] == pytest.approx(reached / peak, abs=1e-6)
    assert result["speed"]["peak_memory_bytes"] > 10_000_000
    environment = json.loads((run.folder / "environment.json").read_text())
    assert environment["seed"] == 1
    assert environment["packages"]["torch"] == torch.__version__
    assert environment["data_fingerprint"]
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, result["epochs"] + 1))


def test_two_runs_with_the_same_seed_are_identical(recipe: Recipe, tmp_path: Path) -> None:
    first, second = (train(recipe, folder=tmp_path / name) for name in ("first", "second"))
    assert without_times(first.result.as_dict()) == without_times(second.result.as_dict())
    for name, tensor in first.ranker.state_dict().items():
        assert torch.equal(tensor, second.ranker.state_dict()[name]), name


def test_another_seed_gives_another_run(recipe: Recipe, tmp_path: Path) -> None:
    first = train(recipe, folder=tmp_path / "first")
    second = train(with_overrides(recipe, {"training.seed": 2}), folder=tmp_path / "second")
    assert first.result.test["logloss"] != second.result.test["logloss"]


def test_the_best_weights_are_restored_before_the_test(recipe: Recipe, tmp_path: Path) -> None:
    diverging = with_overrides(recipe, {"training.learning_rate": 0.3, "training.epochs": 12})
    run = train(diverging, folder=tmp_path / "run")
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    best = max(lines, key=lambda line: line["metrics"]["auc"])
    assert run.result.best_epoch == best["epoch"]
    assert evaluate(run.folder, split="valid").as_dict() == best["metrics"] == run.result.valid


def test_evaluations_within_an_epoch_are_kept_and_the_best_of_them_is_tested(recipe: Recipe, tmp_path: Path) -> None:
    settings = {"training.evaluate_every": 2, "training.batch_size": 2, "training.epochs": 2, "training.patience": 9}
    run = train(with_overrides(recipe, settings), folder=tmp_path / "run")
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    per_epoch = -(-run.result.steps // 2)
    expected = [*range(2, per_epoch, 2), per_epoch]
    assert [line["step"] for line in lines] == [*expected, *(per_epoch + step for step in expected)]
    assert [line["epochs_done"] for line in lines] == pytest.approx(
        [line["step"] / per_epoch for line in lines], abs=1e-6
    )
    best = max(lines, key=lambda line: line["metrics"]["auc"])
    assert evaluate(run.folder, split="valid").as_dict() == best["metrics"] == run.result.valid


def test_early_stopping_within_an_epoch_leaves_the_rest_of_it_out(recipe: Recipe, tmp_path: Path) -> None:
    settings = {"training.evaluate_every": 1, "training.batch_size": 2, "training.epochs": 9, "training.patience": 2}
    run = train(with_overrides(recipe, settings | {"training.min_delta": 9.0}), folder=tmp_path / "run")
    assert (run.result.steps, run.result.epochs) == (3, 1)


def test_the_rate_of_a_cosine_stands_in_the_evaluations(recipe: Recipe, tmp_path: Path) -> None:
    schedule = {"kind": "cosine", "final_share": 0.5}
    settings = {"training.schedule": schedule, "training.batch_size": 100, "training.epochs": 2}
    run = train(with_overrides(recipe, settings | {"training.learning_rate": 0.008}), folder=tmp_path / "run")
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["learning_rate"] for line in lines] == pytest.approx([0.008, 0.006])  # one step an epoch


def test_a_run_reads_back_and_evaluates_the_same(recipe: Recipe, tmp_path: Path) -> None:
    run = train(recipe, folder=tmp_path / "run")
    assert evaluate(run.folder, split="test").as_dict() == run.result.test
    loaded = load_run(run.folder)
    assert loaded.recipe == recipe
    assert not loaded.ranker.training


@pytest.mark.parametrize("updates", ["lazy", "dense"])
def test_averaged_weights_are_evaluated_and_kept_while_training_goes_on_without_them(
    recipe: Recipe, tmp_path: Path, updates: str
) -> None:
    settings = {"training.embedding_updates": updates, "training.epochs": 2}
    plain = train(with_overrides(recipe, settings), folder=tmp_path / "plain")
    settings["training.averaged_weights.decay"] = "0.9"
    run = train(with_overrides(recipe, settings), folder=tmp_path / "run")
    ours, theirs = (
        [json.loads(line) for line in (each.folder / "metrics.jsonl").read_text().splitlines()] for each in (run, plain)
    )
    assert [line["train_loss"] for line in ours] == [line["train_loss"] for line in theirs]
    assert ours[0]["metrics"]["logloss"] != theirs[0]["metrics"]["logloss"]
    assert evaluate(run.folder, split="valid").as_dict() == run.result.valid
    assert load_run(run.folder).recipe.training.averaged_weights == AveragedWeightsSettings(decay=0.9)


def test_a_ranker_learns_what_ten_rows_say(recipe: Recipe, tmp_path: Path) -> None:
    longer = with_overrides(recipe, {"training.epochs": 60, "training.patience": 60, "model.ffn.dropout": 0.0})
    assert train(longer, folder=tmp_path / "run").result.test["auc"] == 1.0


def test_bf16_trains_too(recipe: Recipe, tmp_path: Path) -> None:
    run = train(with_overrides(recipe, {"training.precision": "bf16"}), folder=tmp_path / "run")
    assert 0 <= run.result.test["auc"] <= 1


@pytest.mark.parametrize(("speed_up", "chosen"), [(1.0, "fp32"), (4.0, "bf16")])
def test_what_auto_chose_stands_in_the_results(
    recipe: Recipe, tmp_path: Path, speed_up: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rankelastor.execution.device.bf16_speed_up", lambda: speed_up)
    run = train(with_overrides(recipe, {"training.precision": "auto"}), folder=tmp_path / "run")
    assert run.result.precision == chosen
    assert json.loads((run.folder / "environment.json").read_text())["precision"] == chosen
    assert evaluate(run.folder, split="test").as_dict() == run.result.test


@pytest.mark.parametrize("works", [True, False])
def test_a_run_with_a_compiled_step_scores_and_stores_as_any(
    recipe: Recipe, tmp_path: Path, works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_call(call: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        if not works:
            raise RuntimeError("no compiler")
        return call

    monkeypatch.setattr("rankelastor.execution.compiling.compiler_for", lambda _settings, _device: compile_call)
    recipe = with_overrides(recipe, {"model.ffn.dropout": 0.0})  # compiled dropout draws other masks
    plain = train(recipe, folder=tmp_path / "plain")
    run = train(with_overrides(recipe, {"training.compile": "always"}), folder=tmp_path / "run")
    assert (run.result.compiled, plain.result.compiled) == (works, False)
    assert plain.result.executor == ("kernels" if has_kernels() else "eager")
    assert run.result.executor == ("compiled" if works else plain.result.executor)
    assert list(load_run(run.folder).ranker.state_dict()) == list(plain.ranker.state_dict())
    assert evaluate(run.folder, split="test").as_dict() == run.result.test
    assert dict(run.result.test) == pytest.approx(dict(plain.result.test), abs=1e-5)


def test_without_kernels_the_executor_is_eager(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rankelastor.native.library._loaded", lambda: None)
    assert train(recipe, folder=tmp_path / "run").result.executor == "eager"


def test_a_run_without_a_test_split_has_no_test_metrics(recipe: Recipe, tmp_path: Path) -> None:
    run = train(with_overrides(recipe, {"data.files.test": None}), folder=tmp_path / "run")
    assert "test" not in run.result.metrics
    assert run.result.valid["num_examples"] == 10
    with pytest.raises(RunError, match="must have a test split"):
        run.result.test  # noqa: B018


def test_observers_hear_every_step_and_evaluation(recipe: Recipe, tmp_path: Path) -> None:
    class Counter(SilentObserver):
        steps = 0
        evaluations = 0

        def on_step(self, step: Step) -> None:
            self.steps += 1
            assert step.index == self.steps

        def on_evaluation(self, evaluation: Evaluation) -> None:
            self.evaluations += 1
            assert evaluation.step == self.steps

    counter = Counter()
    run = train(recipe, folder=tmp_path / "run", observers=[counter])
    assert (counter.steps, counter.evaluations) == (run.result.steps, run.result.epochs)


def test_a_run_folder_that_exists_is_left_alone(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    with pytest.raises(
        RunError, match=r"a run folder must be new, but .*run exists; remove it, or name another with folder=\.\.\."
    ):
        train(recipe, folder=tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_a_prepared_folder_from_other_settings_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, folder=tmp_path / "run")
    other = with_overrides(recipe, {"data.fields.0.min_count": 3})
    with pytest.raises(StalePreparedError, match="rankelastor prepare"):
        train(other, folder=tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("read_ahead", [0, 1, 5])
def test_reading_ahead_changes_nothing_but_the_time(recipe: Recipe, tmp_path: Path, read_ahead: int) -> None:
    expected = train(recipe, folder=tmp_path / "default").result.as_dict()
    run = train(with_overrides(recipe, {"training.read_ahead": read_ahead}), folder=tmp_path / "run")
    assert without_times(run.result.as_dict()) == without_times(expected)
    assert 0 < run.result.data_wait_share < 1


def test_rows_can_be_shuffled_within_windows(recipe: Recipe, tmp_path: Path) -> None:
    order = {"kind": "window", "block_rows": 2, "window_rows": 4}
    run = train(with_overrides(recipe, {"training.order": order}), folder=tmp_path / "run")
    assert run.result.steps == 3 * run.result.epochs


def test_a_batch_larger_than_the_data_trains_with_a_warning(
    recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = train(with_overrides(recipe, {"training.batch_size": 4096}), folder=tmp_path / "run")
    assert run.result.steps == run.result.epochs
    assert (
        "training.batch_size should be smaller than the train split, but 4,096 was given for 10 rows: "
        "an epoch is 1 step; try training.batch_size=1"
    ) in caplog.text


def test_a_batch_of_all_rows_is_no_warning(recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train(with_overrides(recipe, {"training.batch_size": 10}), folder=tmp_path / "run")
    assert "training.batch_size should be" not in caplog.text


def test_no_thread_is_left_when_training_stops(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(recipe, folder=tmp_path / "run", observers=[_Stop(after=0)])
    assert "read-ahead" not in {thread.name for thread in threading.enumerate()}


class _Stop(SilentObserver):
    """An observer that raises KeyboardInterrupt after some evaluations."""

    def __init__(self, after: int) -> None:
        self._left = after

    def on_step(self, step: Step) -> None:
        del step
        if not self._left:
            raise KeyboardInterrupt

    def on_evaluation(self, evaluation: Evaluation) -> None:
        del evaluation
        self._left -= 1


def test_ctrl_c_before_the_first_evaluation_leaves_nothing(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(recipe, folder=tmp_path / "run", observers=[_Stop(after=0)])
    assert not (tmp_path / "run").exists()


def test_ctrl_c_later_leaves_weights_that_can_be_used(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(recipe, folder=tmp_path / "run", observers=[_Stop(after=1)])
    assert 0 <= evaluate(tmp_path / "run").value("auc") <= 1
    with pytest.raises(RunError, match=r"must hold result\.json, but .* does not: it was stopped early"):
        RunFolder.open(tmp_path / "run").result()


def test_a_loss_that_is_not_finite_stops_the_run(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stepper, "step", lambda *_: torch.tensor(float("nan")))
    with pytest.raises(RunError, match="the training loss must stay finite, but was nan in epoch 1"):
        train(recipe, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_gauc_as_the_monitor_needs_a_group_field(recipe_values: dict[str, Any], tmp_path: Path) -> None:
    recipe_values["data"]["fields"].pop()
    recipe_values["training"]["monitor"] = "gauc"
    with pytest.raises(SettingsError, match=r"gauc was given and data\.fields has no group; add"):
        train(recipe_from_values(recipe_values), folder=tmp_path / "run")


def test_gauc_as_the_monitor_needs_a_group_with_both_labels(
    recipe_values: dict[str, Any], click_log: Path, tmp_path: Path
) -> None:
    (click_log / "valid.csv").write_text("click,site,device,price,user\n1,a,phone,1,u1\n0,a,tablet,1,u2\n")
    recipe_values["training"]["monitor"] = "gauc"
    refused = "gauc was given and in valid no group holds both labels; try training.monitor=auc"
    with pytest.raises(SettingsError, match=refused):
        train(recipe_from_values(recipe_values), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("row", ["1,a,phone,1,u1", "1,new,phone,1,u1"], ids=["the same ids", "more ids"])
def test_data_prepared_again_from_other_rows_do_not_evaluate_an_older_run(
    recipe: Recipe, click_log: Path, tmp_path: Path, row: str
) -> None:
    run = train(recipe, folder=tmp_path / "run")
    with (click_log / "train.csv").open("a") as file:
        file.write(f"{row}\n")
    prepare(recipe.data, force=True)  # the run needs the folder as it was
    with pytest.raises(StalePreparedError, match=r"must be what .* was trained on, but it was prepared again"):
        evaluate(run.folder)


def test_a_model_beyond_memory_is_an_error(recipe: Recipe, tmp_path: Path) -> None:
    huge = with_overrides(recipe, {"model.token_dim": 300_000, "model.ffn.hidden_dims": [1]})
    with pytest.raises(
        SettingsError,
        match=r"training must fit in memory, but takes about .* GB \(weights .*; try model\.token_dim=\d+ ",
    ):
        train(huge, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("size", [pytest.param(10**12, marks=pytest.mark.slow), 10**18])
def test_sizes_beyond_all_memory_are_an_error(recipe: Recipe, tmp_path: Path, size: int) -> None:
    with pytest.raises(SettingsError, match=r"must fit in memory|model\.embedding_dim"):
        train(with_overrides(recipe, {"model.embedding_dim": size}), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"the run folder .*nowhere does not exist"):
        evaluate(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"must hold config\.yaml"):
        evaluate(tmp_path)


def test_a_run_without_weights_is_an_error(recipe: Recipe, tmp_path: Path) -> None:
    run = train(recipe, folder=tmp_path / "run")
    shutil.rmtree(run.folder / "checkpoints")
    with pytest.raises(RunError, match=r"the weights must be in .*best\.safetensors"):
        evaluate(run.folder)


def test_the_temperature_of_a_block_mixing_falls_while_training_and_is_stored(recipe: Recipe, tmp_path: Path) -> None:
    sinkhorn = {"kind": "sinkhorn", "start_temperature": 1.0, "end_temperature": 0.2, "fall_epochs": 0.6}
    mixing = {"kind": "block", "block_dim": 6, "global_map": sinkhorn}
    run = train(with_overrides(recipe, {"model.mixing": mixing, "training.epochs": 1}), folder=tmp_path / "run")
    # ten rows in batches of 4: the last of three steps begins after two thirds of the epoch
    temperature = "network.blocks.0.mixing.global_map.temperature"
    assert run.ranker.state_dict()[temperature].item() == pytest.approx(0.2)
    assert load_run(run.folder).ranker.state_dict()[temperature].item() == pytest.approx(0.2)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_on_cuda_gives_the_same_kind_of_result(recipe: Recipe, tmp_path: Path, precision: str) -> None:
    on_cuda = with_overrides(recipe, {"training.device": "cuda", "training.precision": precision})
    first, second = (train(on_cuda, folder=tmp_path / name) for name in ("first", "second"))
    assert next(first.ranker.parameters()).is_cuda
    assert dict(first.result.test) == pytest.approx(dict(second.result.test), abs=1e-3)

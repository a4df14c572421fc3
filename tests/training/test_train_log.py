"""``train.log`` of a run folder."""

import logging
import re
from pathlib import Path

import pytest

from rankelastor.errors import RunError
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training import train_log
from rankelastor.training.observers import SilentObserver, Step
from rankelastor.training.run import train
from rankelastor.training.train_log import TrainLog

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d  "


def test_a_run_folder_says_what_happened_when(recipe: Recipe, tmp_path: Path) -> None:
    run = train(recipe, folder=tmp_path / "run")
    lines = (run.folder / "train.log").read_text().splitlines()
    assert all(re.match(TIME, line) for line in lines)
    assert any("training 2,875 dense parameters for at most 3 epochs of 10 examples" in line for line in lines)
    evaluations = [line for line in lines if re.search(r"epoch \d/3  step \d+  train loss .* valid auc", line)]
    assert len(evaluations) == run.result.epochs
    assert re.search(r"finished: best epoch \d of \d", lines[-1])


def test_a_minute_without_a_line_gets_one(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_log, "EVERY_SECONDS", 0.0)
    run = train(with_overrides(recipe, {"training.epochs": 1}), folder=tmp_path / "run")
    steps = re.findall(r"epoch 1/1  step (\d+)  loss \d\.\d{6}", (run.folder / "train.log").read_text())
    assert steps == ["1", "2", "3"]


class _Failing(SilentObserver):
    """An observer that warns and fails in the second epoch, when there are weights to keep."""

    def on_step(self, step: Step) -> None:
        if step.epoch == 2:
            logging.getLogger("rankelastor.tests").warning("100%% strange: %s", "ü")
            raise RunError("on purpose")


def test_warnings_and_the_reason_of_the_end_are_kept(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RunError):
        train(with_overrides(recipe, {"training.patience": 9}), folder=tmp_path / "run", observers=[_Failing()])
    text = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert "warning: 100% strange: ü" in text
    assert text.rstrip().endswith("stopped: RunError: on purpose")


def test_lines_from_before_the_file_come_first_and_the_logger_is_left_as_it_was(tmp_path: Path) -> None:
    before = list(logging.getLogger("rankelastor").handlers)
    with TrainLog() as log:
        log.say("early")
        log.open(tmp_path / "train.log")
        log.say("late")
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["early", "late"]
    assert logging.getLogger("rankelastor").handlers == before


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    with TrainLog() as log:
        log.open(tmp_path / "no folder" / "train.log")
        log.say("lost")

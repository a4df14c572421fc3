from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna", reason="the extra `tune` is not installed")

from rankelastor.errors import RunError
from rankelastor.tuning.journal import Journal, OpenTrial
from rankelastor.tuning.record import TrialRecord
from rankelastor.tuning.space import Space

SPACE = Space.of({"training.learning_rate": {"log": [1e-4, 1e-2]}, "model.num_blocks": {"one_of": [1, 2, 3]}})


def end(trial: OpenTrial, value: float = 0.5) -> None:
    trial.end(TrialRecord(trial.index, "finished", trial.drawn, value, {"auc": value}, 1, 1.0))


def draws_of(path: Path, *, stop_after: int | None = None) -> list[dict[str, object]]:
    """Seven trials whose value is the rate; the journal is opened anew, with a trial left open, after one of them."""
    journal = Journal(path, SPACE, seed=3)
    for index in range(7):
        if index == stop_after:
            journal.ask()  # the process is killed before it ends
            journal = Journal(path, SPACE, seed=3)
        trial = journal.ask()
        end(trial, value=float(trial.drawn["training.learning_rate"]))
    return [record.drawn for record in journal.records]


@pytest.mark.parametrize("stop_after", [1, 6])
def test_a_journal_that_was_left_open_goes_on_with_the_same_draws(tmp_path: Path, stop_after: int) -> None:
    straight = draws_of(tmp_path / "straight.log")
    assert draws_of(tmp_path / "stopped.log", stop_after=stop_after) == straight
    assert len({str(drawn) for drawn in straight}) == 7


def test_another_seed_draws_other_values(tmp_path: Path) -> None:
    first = Journal(tmp_path / "a.log", SPACE, seed=1).ask().drawn
    assert first != Journal(tmp_path / "b.log", SPACE, seed=2).ask().drawn


def test_the_recipe_as_it_stands_is_told_to_the_sampler_if_it_lies_inside(tmp_path: Path) -> None:
    inside: dict[str, Any] = {"training.learning_rate": 1e-3, "model.num_blocks": 2}
    for name, fixed in [("inside", inside), ("outside", inside | {"model.num_blocks": 9}), ("partly", {"model.x": 1})]:
        journal = Journal(tmp_path / name, SPACE, seed=1)
        trial = journal.ask(fixed=fixed)
        assert trial.drawn == {}
        end(trial)
        text = (tmp_path / name).read_text()
        assert ("0.001" in text) == (name == "inside")


def test_a_trial_worse_than_the_median_is_hopeless_after_its_second_evaluation(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.log", SPACE, seed=1)
    for value in (0.5, 0.6, 0.7, 0.8):
        trial = journal.ask()
        assert not any(trial.is_hopeless(value, num_evaluations=number) for number in (1, 2, 3))
        end(trial, value)
    trial = journal.ask()
    assert [trial.is_hopeless(0.6, num_evaluations=number) for number in (1, 2)] == [False, True]
    other = journal.ask()
    assert not other.is_hopeless(0.9, num_evaluations=2)


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    path.write_text('{"op_code": 0}\n{"op_code": 99}\n')
    with pytest.raises(RunError, match=r"journal.log must be the journal of a tuning, but cannot be read"):
        Journal(path, SPACE, seed=1)

"""A study runs what is missing, one line a run; what has changed is refused, and what fails stops nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.studies.small_study import Heard, made_line, small_study
from tests.training.resumed_runs import KilledError

from rankelastor.errors import RunError, SettingsError
from rankelastor.recipes.load import recipe_from_values
from rankelastor.studies.work import one_run
from rankelastor.studies.work import run_study as module
from rankelastor.studies.work.lines import RunLine, append_line, read_lines
from rankelastor.studies.work.run_study import run_study

ONE = {"axes": {}, "seeds": [1]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that has run, matched in parameters."""
    path = tmp_path_factory.mktemp("study") / "small"
    match = {"parameters_of": "elastor", "adjust": {"mixer": "model.ffn.hidden_dims.0"}, "within": 0.1}
    run_study(small_study(**ONE, match=match), folder=path)
    return path


def test_a_line_holds_all_that_repeats_a_run(folder: Path) -> None:
    lines = {line.key: line for line in read_lines(folder / "results.jsonl", study="small")}
    assert set(lines) == {"elastor/seed=1", "mixer/seed=1"}
    line = lines["mixer/seed=1"]
    assert line.status == "finished"
    assert {"auc", "logloss"} <= set(line.metrics["test"])
    assert line.best_possible is not None
    assert line.best_possible["test"]["auc"] > 0.5
    assert line.log is not None
    assert line.log["train_rows"] == line.num_train_rows == 2000
    assert len(line.data_fingerprint or "") == 64
    assert line.environment["packages"]["torch"]
    assert set(line.ranks["stable_rank"]) == {"fields", "tokens", "block0.mixing", "block0.pffn"}
    assert line.seconds > 0
    assert line.chosen["model.ffn.hidden_dims.0"] == line.settings["model"]["ffn"]["hidden_dims"][0]
    sizes = [lines[key].cost["dense_parameters"] for key in lines]
    assert abs(sizes[0] - sizes[1]) <= 0.1 * max(sizes)
    assert recipe_from_values(line.settings).training.seed == 1
    assert str(folder) not in line.as_json()


def test_what_is_done_is_not_run_again_and_a_study_may_grow(tmp_path: Path) -> None:
    first, second = Heard(), Heard()
    run_study(small_study(**ONE, rank_examples=0), folder=tmp_path, listener=first)
    grown = small_study(axes={}, seeds=[1, 2], rank_examples=0, keep_runs=False)
    found = run_study(grown, folder=tmp_path, only="mixer/*", listener=second)
    assert [line.key for line in first.lines] == ["elastor/seed=1", "mixer/seed=1"]
    assert [line.key for line in second.lines] == ["mixer/seed=2"]
    assert len(found.lines) == 2
    assert len(list((tmp_path / "runs").iterdir())) == 2  # the last one is not kept


@pytest.mark.parametrize("moment", ["before its line", "after its line"])
def test_killed_around_a_line_a_study_that_keeps_no_runs_leaves_none_and_trains_nothing_again(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def append(file: Path, line: RunLine) -> None:
        if moment == "after its line":
            append_line(file, line)
        raise KilledError

    study = small_study(**ONE, rank_examples=0, keep_runs=False)
    with monkeypatch.context() as killed:
        killed.setattr(module, "append_line", append)
        with pytest.raises(KilledError):
            run_study(study, folder=tmp_path, only="mixer/*")
    assert len(list((tmp_path / "runs").iterdir())) == 1
    monkeypatch.setattr(one_run, "train", None)
    found = run_study(study, folder=tmp_path, only="mixer/*")
    assert [line.status for line in found.lines] == ["finished"]
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.slow
def test_runs_side_by_side_are_those_of_one_process(folder: Path, tmp_path: Path) -> None:
    run_study(small_study(**ONE, rank_examples=0), folder=tmp_path, jobs=2)
    there = {line.key: line for line in read_lines(folder / "results.jsonl", study="small")}
    here = {line.key: line for line in read_lines(tmp_path / "results.jsonl", study="small")}
    assert here["elastor/seed=1"].metrics == there["elastor/seed=1"].metrics
    assert set(here) == set(there)


def test_a_run_that_fails_is_noted_and_tried_again_on_demand(tmp_path: Path) -> None:
    bad = {"model.num_tokens": 3, "model.mixing": {"kind": "split"}}
    axes = {
        "rate": {"setting": "training.optimiser.clip_norm", "values": [1.0]},
        "size": {"points": {"good": {}, "bad": bad}},
    }
    study = small_study(axes=axes, seeds=[1], rank_examples=0)
    heard = Heard()
    found = run_study(study, folder=tmp_path, only="mixer/*", listener=heard)
    assert {line.key: line.status for line in found.lines} == {
        "mixer/rate=1.0/size=good/seed=1": "finished", "mixer/rate=1.0/size=bad/seed=1": "failed",
    }  # fmt: skip
    reason = found.lines[1].reason
    assert reason is not None
    assert "num_tokens" in reason
    again = Heard()
    run_study(study, folder=tmp_path, only="mixer/*", listener=again)
    assert again.lines == []
    run_study(study, folder=tmp_path, only="mixer/*", again=True, listener=again)
    assert [line.status for line in again.lines] == ["failed"]


def test_a_used_up_budget_begins_no_run(folder: Path) -> None:
    match = {"parameters_of": "elastor", "adjust": {"mixer": "model.ffn.hidden_dims.0"}, "within": 0.1}
    study = small_study(axes={}, seeds=[1, 2], match=match, budget={"minutes": 1e-6})
    heard = Heard()
    assert run_study(study, folder=folder, listener=heard).missing == ("elastor/seed=2", "mixer/seed=2")
    assert heard.lines == []


def test_a_base_recipe_that_changed_is_refused(folder: Path) -> None:
    match = {"parameters_of": "elastor", "adjust": {"mixer": "model.ffn.hidden_dims.0"}, "within": 0.1}
    changed = small_study(**ONE, match=match)
    changed["changes"] |= {"training.learning_rate": 0.02}
    with pytest.raises(RunError, match=r"has changed since its first run: .*learning_rate was 0.01 and is 0.02"):
        run_study(changed, folder=folder)
    log = {**small_study()["log"], "order": 3}
    with pytest.raises(RunError, match=r"log.order was 2 and is 3"):
        run_study(small_study(**ONE, match=match, log=log), folder=folder)
    with pytest.raises(RunError, match="it holds the study 'small'"):
        run_study(small_study(**ONE, match=match, name="other"), folder=folder)


def test_results_of_another_study_or_of_other_points_are_refused(tmp_path: Path) -> None:
    append_line(tmp_path / "results.jsonl", made_line("elastor", 1, 0.7, study="other"))
    with pytest.raises(RunError, match=r"must hold results of the study small, but line 1 is of other"):
        run_study(small_study(**ONE), folder=tmp_path)
    (tmp_path / "results.jsonl").unlink()
    append_line(tmp_path / "results.jsonl", made_line("elastor", 1, 0.7, changes={"log.order": 4}))
    with pytest.raises(RunError, match=r"elastor/seed=1 has changed .*log.order was 4 and is left out"):
        run_study(small_study(**ONE), folder=tmp_path)


def test_a_pattern_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"only must match a run .* 'mlp/\*' matches none; the first is elastor/"):
        run_study(small_study(**ONE), folder=tmp_path, only="mlp/*")


def test_half_a_line_of_a_killed_process_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    append_line(path, made_line("elastor", 1, 0.7))
    with path.open("a") as file:
        file.write('{"study": "small", "key"')
    assert len(read_lines(path, study="small")) == 1
    append_line(path, made_line("elastor", 2, 0.8))
    assert [line.seed for line in read_lines(path, study="small")] == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", "line 1 must be a run of a study"),
        (json.dumps({"study": "small"}), "line 1 must be a run of a study, but key: "),
        (made_line("a", 1, 0.5, format_version=9).as_json(), "format_version 1 or lower, but has 9"),
    ],
)
def test_a_damaged_line_names_its_place(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text(text + "\n")
    with pytest.raises(RunError, match=message):
        read_lines(tmp_path / "results.jsonl", study="small")

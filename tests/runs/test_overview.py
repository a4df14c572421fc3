from pathlib import Path

import pytest
import torch

from rankelastor.errors import RunError
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.checkpoints import write_checkpoint
from rankelastor.runs.overview import list_runs, look_at, size_on_disk
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.observers import SilentObserver, Step
from rankelastor.training.run import train


def test_each_run_has_its_state(recipe: Recipe, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    seen = []

    class Look(SilentObserver):
        def on_step(self, step: Step) -> None:
            del step
            seen.append(look_at(runs / "finished").state)

    finished = train(recipe, folder=runs / "finished", observers=[Look()])
    stopped = RunFolder.create(runs / "stopped", recipe)
    evaluation = {"epoch": 1, "step": 3, "metrics": {"auc": 0.75}, "improved": True, "seconds": 1.5}
    stopped.append_metrics(evaluation)
    stopped.append_metrics(evaluation | {"epoch": 2, "step": 6, "metrics": {"auc": 0.5}, "improved": False})
    write_checkpoint(stopped.checkpoints, step=7, values={}, tensors={"a": torch.zeros(2)})
    RunFolder.create(runs / "damaged", recipe)
    (runs / "damaged" / "config.yaml").write_text("name: [")
    (runs / "no run").mkdir()

    found = {run.folder.name: run for run in list_runs(runs)}
    assert {name: run.state for name, run in found.items()} == {
        "damaged": "damaged",
        "finished": "finished",
        "stopped": "stopped",
    }
    assert set(seen) == {"running"}
    assert found["finished"].test == finished.result.test
    assert found["finished"].seconds == finished.result.seconds
    assert (found["stopped"].step, found["stopped"].resumes_after) == (7, 7)
    assert found["stopped"].valid == {"auc": 0.75}
    assert found["stopped"].as_dict()["seconds"] == 1.5
    assert "config.yaml" in str(found["damaged"].problem)
    assert [run.folder.name for run in list_runs(runs / "stopped")] == ["stopped"]


def test_files_that_are_linked_count_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "c").write_bytes(b"123")
    assert size_on_disk(tmp_path) == 8


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"the folder of runs .*nowhere does not exist"):
        list_runs(tmp_path / "nowhere")

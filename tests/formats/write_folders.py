"""Write the folders of the present format version, which later versions must read.

``python -m tests.formats.write_folders 3`` writes those of format 3, which must be the present one.

Each numbered folder beside this file was written by the version of rankelastor that had these formats: ``prepared``, a
finished ``run`` and what it predicts for the test rows; from format 3 on also a run that was stopped, ``stopped``.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from rankelastor.recipes.load import load_recipe, with_overrides
from rankelastor.runs.checkpoints import list_checkpoints, read_checkpoint, remove_all_but, write_checkpoint
from rankelastor.runs.run_folder import RunFolder
from rankelastor.serving.predict import predict
from rankelastor.training.observers import SilentObserver, Step
from rankelastor.training.run import train

HERE = Path(__file__).parent
STOPPED = {"training.checkpoint.every_steps": 1}
_OF_THIS_MACHINE = ("train.log", "spectrum")


class StoppedError(BaseException):
    """Ends a training as a kill does."""


class Stop(SilentObserver):
    """An observer that ends the training at the fourth step, before the checkpoint of that step."""

    def on_step(self, step: Step) -> None:
        if step.index == 4:
            raise StoppedError


def without_machine(run: RunFolder) -> None:
    """Leave out what tells of the machine, and seal the folder again."""
    for name in _OF_THIS_MACHINE:
        path = run.path / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    kept = {
        name: value for name, value in run.environment().items() if name in {"data_fingerprint", "resumable", "seed"}
    }
    result = run.result() if run.has_result else None
    run.reopen()
    run.write_environment(kept)
    if result is not None:
        run.write_result(result)


def without_processor(folder: Path) -> None:
    """Keep the newest checkpoint, and write it again without the name of the processor."""
    remove_all_but(folder, 1)
    [path] = list_checkpoints(folder)
    stored = read_checkpoint(path)
    identity = stored.values["identity"] | {"arithmetic": {}}
    write_checkpoint(folder, step=stored.step, values={**stored.values, "identity": identity}, tensors=stored.tensors)


def main(version: str) -> None:
    """Train in a temporary folder, so that paths are relative, and keep what a reader needs."""
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        shutil.copytree(HERE / "raw", "raw")
        recipe = load_recipe(HERE / "recipe.yaml")
        train(recipe, folder="run")
        predict("run", "raw/test.csv", "expected.csv")
        try:
            train(with_overrides(recipe, STOPPED), folder="stopped", observers=[Stop()])
        except StoppedError:
            without_processor(Path("stopped/checkpoints"))
        for name in ("run", "stopped"):
            without_machine(RunFolder(name))
        Path("prepared/used_by.jsonl").unlink(missing_ok=True)
        shutil.rmtree("raw")
        shutil.copytree(".", HERE / version)


if __name__ == "__main__":
    main(*sys.argv[1:])

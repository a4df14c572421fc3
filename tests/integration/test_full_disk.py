"""A full disk, simulated by a limit on file sizes: one readable message, exit code 2, and no incomplete files."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import train

pytestmark = pytest.mark.fault


ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"} | {
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""Python would leave cut files of bytecode, and the file of what coverage measures would be too large, too."""


def limit(num_bytes: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, num_bytes))


def rankelastor(*arguments: object, num_bytes: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rankelastor", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=ENVIRONMENT,
        preexec_fn=limit(num_bytes),
    )


def assert_explained(failed: subprocess.CompletedProcess[str]) -> None:
    assert failed.returncode == 2, failed.stderr
    assert "cannot be written: the file is larger than allowed here" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.fixture
def recipe_file(recipe_values: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe_values))
    return path


def test_prepare_leaves_nothing(recipe_file: Path, tmp_path: Path) -> None:
    assert_explained(rankelastor("prepare", recipe_file, num_bytes=300))
    assert not [path.name for path in tmp_path.iterdir() if "prepared" in path.name]


@pytest.mark.parametrize("num_bytes", [100, 2_000, 6_000])
def test_train_leaves_nothing_wherever_it_happens(
    recipe: Recipe, recipe_file: Path, tmp_path: Path, num_bytes: int
) -> None:
    train(recipe, folder=tmp_path / "first")
    assert_explained(rankelastor("train", recipe_file, "--run", tmp_path / "run", num_bytes=num_bytes))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("output", ["scored.csv", "scored.csv.gz", "scored.parquet"])
def test_predict_leaves_nothing(recipe: Recipe, tmp_path: Path, output: str) -> None:
    run = train(recipe, folder=tmp_path / "run").folder
    rows = "\n".join(f"{site},phone,{site}.5,u1" for site in range(2_000))
    (tmp_path / "new.csv").write_text(f"site,device,price,user\n{rows}\n")
    assert_explained(rankelastor("predict", run, tmp_path / "new.csv", tmp_path / output, num_bytes=4_000))
    assert not [path.name for path in tmp_path.iterdir() if "scored" in path.name]

"""Prepare, killed or stopped at any moment, leaves no incomplete folder that is mistaken for a complete one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError

pytestmark = pytest.mark.fault

CHILDREN = Path(__file__).with_name("killed_prepare.py")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    """Build settings of a log whose preparation takes some tenths of a second."""
    rng = random.Random(1)
    rows = [f"{row % 2},{rng.random()},{rng.randbytes(3).hex()},{rng.randrange(9)}" for row in range(60_000)]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "all.csv").write_text("label,x,site,user\n" + "\n".join(rows) + "\n")
    return {
        "prepared": str(tmp_path / "prepared"),
        "files": {"folder": str(tmp_path / "raw"), "all": "all.csv"},
        "split": {"kind": "random"},
        "label": "label",
        "shard_rows": 5_000,
        "fields": [{"kind": "numeric", "column": "x"}, {"kind": "categorical", "column": ["site", "user"]}],
    }


@contextmanager
def children(values: dict[str, Any], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "data.json").write_text(json.dumps(values))
    command = [sys.executable, str(CHILDREN), str(tmp_path / "data.json")]
    with subprocess.Popen(
        command, text=True, env=ENVIRONMENT, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def kill_at_random_moments(values: dict[str, Any], tmp_path: Path, *, num_kills: int) -> None:
    settings = DataSettings.model_validate(values)
    start = time.perf_counter()
    prepare(settings)
    seconds = time.perf_counter() - start
    whole = contents(Path(settings.prepared))
    before = DataSettings.model_validate(values | {"shard_rows": 6_000})
    rng = random.Random(2)
    ends = []
    with children(values, tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(num_kills):
            prepare(before)  # the folder exists, prepared with other settings
            process.stdin.write(f"{seconds * rng.uniform(0, 1.5)}\n")
            ends.append(process.stdout.readline().strip())
            try:
                dataset = PreparedDataset.open_matching(settings)
            except DataError:
                continue  # the folder is the old one, or missing
            assert contents(dataset.folder) == whole
    assert ends.count("killed") > num_kills // 4
    prepare(settings)
    assert contents(Path(settings.prepared)) == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.json", "prepared", "raw"]


def test_killed_at_a_random_moment_it_leaves_no_incomplete_folder_that_opens(
    values: dict[str, Any], tmp_path: Path
) -> None:
    kill_at_random_moments(values, tmp_path, num_kills=8)


@pytest.mark.slow
def test_killed_fifty_times_it_never_leaves_an_incomplete_folder_that_opens(
    values: dict[str, Any], tmp_path: Path
) -> None:
    kill_at_random_moments(values, tmp_path, num_kills=50)


@pytest.fixture
def command(values: dict[str, Any], recipe_values: dict[str, Any], tmp_path: Path) -> list[str]:
    recipe = recipe_values | {"data": values}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return [sys.executable, "-m", "rankelastor", "prepare", str(tmp_path / "recipe.yaml")]


def test_stopped_by_sigterm_it_cleans_up(command: list[str], tmp_path: Path) -> None:
    log = tmp_path / "raw" / "all.csv"
    log.write_text(log.read_text() + log.read_text().split("\n", 1)[1] * 20)
    with subprocess.Popen(command, text=True, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".prepared.partial/staged/*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, message = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "stopped; all files on disk are complete" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "raw", "recipe.yaml"]


def test_of_two_processes_that_prepare_the_same_folder_one_works_and_the_other_takes_it(
    values: dict[str, Any], command: list[str], tmp_path: Path
) -> None:
    first, second = (subprocess.Popen(command, text=True, env=ENVIRONMENT, stderr=subprocess.PIPE) for _ in range(2))
    messages = [process.communicate(timeout=120)[1] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], messages
    assert PreparedDataset.open_matching(DataSettings.model_validate(values)).splits == ("train", "valid", "test")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "prepared", "raw", "recipe.yaml"]

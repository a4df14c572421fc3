"""Preparing by threads and by a Ray cluster gives the same bytes, also where a worker is killed."""

import importlib
import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from rankelastor.data.building import build as building
from rankelastor.data.building import ray_executor
from rankelastor.data.building.executors import open_executor
from rankelastor.data.building.file_stage import FileToStage, StagedFile, stage_file
from rankelastor.data.building.ray_executor import RayExecutor
from rankelastor.data.building.workers import Workers
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError, SettingsError

HEADER = "click,site,age,user,seen,when\n"
FIELDS: list[dict[str, Any]] = [
    {"kind": "categorical", "column": "site"},
    {"kind": "categorical", "column": "user", "shares": "site"},
    {"kind": "sequence", "column": "seen", "max_length": 3, "last": 1, "separator": "^"},
    {"kind": "crossed", "column": "site", "other": "user", "name": "pair"},
    {"kind": "numeric", "column": "age", "name": "plain"},
    {"kind": "quantile", "column": "age", "name": "bucket", "num_buckets": 3},
    {"kind": "hashed", "column": "user", "name": "hashed", "num_buckets": 7},
]


def rows(file: int) -> str:
    """Rows whose texts come in another order in each file."""
    lines = [
        f"{(row + file) % 2},s{(row * 7 + file) % 5},{(row * file) % 11}.5,s{(row + 3 * file) % 9},s{row % 4}^s{file},"
        f"2024-01-{file:02d}T{row:02d}:00"
        for row in range(24)
    ]
    return HEADER + "\n".join(lines) + "\n"


@pytest.fixture
def settings(write_files: Callable[..., Path], settings_for: Callable[..., DataSettings]) -> DataSettings:
    """Five files of days, split by time."""
    write_files({f"day-{file}.csv": rows(file) for file in range(1, 6)})
    return settings_for(
        {
            "files": {"folder": str(settings_for().files.folder), "all": "day-*.csv"},
            "split": {"kind": "time", "column": "when", "valid": 0.2, "test": 0.2},
            "fields": [*FIELDS, {"kind": "group", "column": "user"}],
            "shard_rows": 17,
        }
    )


def contents(dataset: PreparedDataset) -> dict[str, bytes]:
    folder = dataset.folder
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


class SerialTasks:
    """An executor that runs one task after the other on copies, as the workers of a cluster do."""

    shares_memory = False

    def map(self, work: Callable[..., Any], items: Any, *shared: Any) -> Iterator[Any]:
        for item in items:
            arguments = pickle.loads(pickle.dumps((item, *shared)))
            for _ in range(2):  # a task that is run again counts once
                result = work(*arguments)
            yield pickle.loads(pickle.dumps(result))


def prepare_by(settings: DataSettings, executor: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    with monkeypatch.context() as patched:
        patched.setattr(building, "open_executor", lambda *_: nullcontext(executor))
        return contents(prepare(settings, force=True))


def test_tasks_on_copies_give_the_same_bytes_as_threads(
    settings: DataSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = contents(prepare(settings))
    assert prepare_by(settings, SerialTasks(), monkeypatch) == expected
    for threads in (1, 4):
        with Workers(threads) as workers:
            assert prepare_by(settings, workers, monkeypatch) == expected


def test_times_of_two_files_must_be_written_in_one_way(
    settings: DataSettings, write_files: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files({"day-3.csv": rows(3).replace(":00\n", ":00Z\n")})
    message = "day-3.csv, column 'when' must hold times as the files before it, which are no times with an offset"
    with pytest.raises(DataError, match=message):
        prepare_by(settings, SerialTasks(), monkeypatch)


def test_a_wrong_cell_is_named_by_a_task_as_it_is_by_a_thread(
    settings: DataSettings, write_files: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files({"day-4.csv": rows(4).replace("4.5", "dear", 1)})
    with pytest.raises(DataError, match=r"day-4.csv, column 'age', row \d+ must hold numbers, but 'dear' was given"):
        prepare_by(settings, SerialTasks(), monkeypatch)


def test_a_misspelt_executor_is_named_with_the_nearest() -> None:
    message = "the executor must be local, ray or ray://HOST:PORT, but 'locl' was given; did you mean 'local'"
    with Workers(1) as workers, pytest.raises(SettingsError, match=message), open_executor("locl", workers):
        pass


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    message = r"the executor ray must have the package ray, but it is not installed; try pip install .*\[ray\]"
    with pytest.raises(SettingsError, match=message), RayExecutor.connected(None):
        pass


def test_an_address_that_does_not_answer_is_named() -> None:
    pytest.importorskip("ray", reason="ray is an extra")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    message = f"ray://127.0.0.1:{port} must be the client server of a Ray cluster, but nothing answers there"
    with (
        Workers(1) as workers,
        pytest.raises(SettingsError, match=message),
        open_executor(f"ray://127.0.0.1:{port}", workers),
    ):
        pass
    with pytest.raises(SettingsError, match="must be local, ray or ray://HOST:PORT, but ray:// was given; name"):
        ray_executor._require_answer("ray://")


def die_once(job: FileToStage) -> StagedFile:
    """Stage a file, and kill the worker of the second one when it has written its parts for the first time."""
    staged = stage_file(job)
    mark = job.folder.parent / "staged-once"
    if job.number == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    mark.unlink(missing_ok=job.number != 1)
    return staged


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_bytes_as_threads_also_where_a_worker_is_killed(
    settings: DataSettings, ray_cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = contents(prepare(settings))
    assert contents(prepare(settings, force=True, executor="ray")) == expected
    importlib.import_module("ray.cloudpickle").register_pickle_by_value(sys.modules[__name__])  # workers have no tests
    monkeypatch.setattr(building, "stage_file", die_once)
    assert contents(prepare(settings, force=True, executor="ray")) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_mistake_on_a_cluster_is_the_message_of_the_library(
    settings: DataSettings, ray_cluster: Any, write_files: Callable[..., Path]
) -> None:
    write_files({"day-4.csv": rows(4).replace("4.5", "dear", 1)})
    with pytest.raises(DataError, match=r"day-4.csv, column 'age', row \d+ must hold numbers, but 'dear' was given"):
        prepare(settings, executor="ray")

"""Tests of the process that serves: its address, its end, and a service that two workers share."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.bundles.bundled_runs import tiny_recipe, tiny_run
from typer.testing import CliRunner
from uvicorn.config import STARTUP_FAILURE

from rankelastor.bundles.make import BundleOptions, bundle_run
from rankelastor.cli.main import app
from rankelastor.errors import RunError, SettingsError
from rankelastor.service.limits import Limits
from rankelastor.service.run import ServiceSettings, serve, worker
from rankelastor.training.run import train


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def request(port: int, method: str, path: str, body: str | None = None) -> int:
    """Send a request; its status."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body)
        with connection.getresponse() as answer:
            answer.read()
            return answer.status


def text(port: int, path: str) -> str:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        with connection.getresponse() as answer:
            return answer.read().decode()


def wait_until_ready(port: int, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        try:
            if request(port, "GET", "/readyz") == 200:
                return
        except OSError:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.1)
    raise AssertionError("it never became ready")


def test_a_port_in_use_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["serve", str(tmp_path / "none.rank"), "--port", str(port)])
    assert result.exit_code == 2
    assert f"127.0.0.1 port {port} cannot be bound: Address already in use; try another port" in result.output
    assert "http://" not in result.output


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_bundle_that_cannot_be_used_is_said_before_an_address(tmp_path: Path, workers: str) -> None:
    (tmp_path / "cut.rank").write_bytes(b"PK\x03\x04 and no more")
    result = CliRunner().invoke(
        app, ["serve", str(tmp_path / "cut.rank"), "--port", str(free_port()), "--workers", workers]
    )
    assert result.exit_code == 2
    assert "must be a whole bundle" in result.output
    assert "http://" not in result.output


def test_an_address_that_others_reach_without_a_token_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RANKELASTOR_TOKEN", "secret")
    settings = ServiceSettings(tmp_path / "none", host="0.0.0.0", port=free_port())
    with pytest.raises(RunError):
        serve(settings)
    assert not caplog.records
    monkeypatch.delenv("RANKELASTOR_TOKEN")
    with pytest.raises(RunError):
        serve(settings)
    assert "everyone who reaches 0.0.0.0 may ask" in caplog.text


def test_a_worker_that_cannot_serve_says_why_and_tells_its_parent_not_to_try_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SystemExit) as found:
        worker(ServiceSettings(tmp_path / "none.rank"))
    assert found.value.code == STARTUP_FAILURE
    assert "a worker cannot serve: " in caplog.text


def test_a_token_is_read_without_its_line_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rankelastor.service.app.make_app", lambda _, **options: options["token"])
    for given, token in (("secret\n", "secret"), (" \n", None)):
        monkeypatch.setenv("RANKELASTOR_TOKEN", given)
        found: object = worker(ServiceSettings(tmp_path))
        assert found == token


def test_limits_must_be_above_zero() -> None:
    with pytest.raises(SettingsError, match="rows of a service must be above 0, but 0 was given"):
        Limits(rows=0)


@contextmanager
def served(place: Path, *options: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run the verb in a process of its own; its port, and the process."""
    port = free_port()
    command = [sys.executable, "-m", "rankelastor", "serve", str(place), "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until_ready(port, process)
            yield port, process
        finally:
            process.kill()


@pytest.mark.slow  # processes of their own
@pytest.mark.parametrize("workers", [1, 2])
def test_the_verb_serves_until_it_is_told_to_stop(tmp_path: Path, workers: int) -> None:
    with served(tiny_run(tmp_path), "--workers", str(workers)) as (port, process):
        row = {"site": "a", "device": "phone", "price": 1}
        assert request(port, "POST", "/v1/score", json.dumps({"rows": [row]})) == 200
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=30)
    assert process.returncode in {0, 143}
    assert "Traceback" not in errors
    assert out == f"http://127.0.0.1:{port}\n"


@pytest.mark.slow  # a process of its own
def test_a_service_that_is_stopped_under_load_answers_what_it_has_taken(tmp_path: Path) -> None:
    candidates = [{"site": "abc"[index % 3], "price": index / 7} for index in range(10_000)]
    body = json.dumps({"context": {"device": "phone"}, "candidates": candidates})
    with served(tiny_run(tmp_path), "--queue-rows", "1000000") as (port, process), ThreadPoolExecutor(12) as pool:
        statuses = [pool.submit(request, port, "POST", "/v1/rank", body) for _ in range(12)]
        time.sleep(0.4)
        assert not all(status.done() for status in statuses)
        process.send_signal(signal.SIGTERM)
        assert [status.result() for status in statuses] == [200] * 12
        _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    with pytest.raises(OSError, match="refused"):
        request(port, "GET", "/healthz")


@pytest.mark.slow  # a process of its own, and two trainings
def test_a_new_bundle_is_swapped_in_under_load_without_a_dropped_request(tmp_path: Path) -> None:
    quick, place = BundleOptions(measure=False), tmp_path / "model.rank"
    for name, seed in (("model", 1), ("newer", 2)):
        (tmp_path / name).mkdir()
        run = train(tiny_recipe(tmp_path / name, seed=seed), folder=tmp_path / name / "run").folder
        bundle_run(run, tmp_path / f"{name}.rank", options=quick)
    body = json.dumps({"rows": [{"site": "a", "device": "phone", "price": 1}]})
    stop = threading.Event()

    def ask(port: int) -> Counter[int]:
        statuses: Counter[int] = Counter()
        while not stop.is_set():
            statuses[request(port, "POST", "/v1/score", body)] += 1
        return statuses

    with served(place, "--watch") as (port, _), ThreadPoolExecutor(6) as pool:
        askers = [pool.submit(ask, port) for _ in range(6)]
        (tmp_path / "newer.rank").replace(place)
        until = time.monotonic() + 60
        while 'rankelastor_bundles_total{what="taken"} 1' not in text(port, "/metrics"):
            assert time.monotonic() < until, "it was never taken"
            time.sleep(0.1)
        time.sleep(0.5)
        stop.set()
        found = sum((asker.result() for asker in askers), Counter[int]())
    assert set(found) == {200}
    assert found[200] > 50

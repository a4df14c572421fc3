"""Tests of the process that serves: its address, its end, and a service that two workers share."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.bundles.bundled_runs import tiny_run
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.errors import SettingsError
from rankelastor.service.limits import Limits


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


def test_limits_must_be_above_zero() -> None:
    with pytest.raises(SettingsError, match="rows of a service must be above 0, but 0 was given"):
        Limits(rows=0)


@pytest.mark.slow  # processes of their own
@pytest.mark.parametrize("workers", [1, 2])
def test_the_verb_serves_until_it_is_told_to_stop(tmp_path: Path, workers: int) -> None:
    run, port = tiny_run(tmp_path), free_port()
    command = [sys.executable, "-m", "rankelastor", "serve", str(run), "--port", str(port), "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until_ready(port, process)
            row = {"site": "a", "device": "phone", "price": 1}
            assert request(port, "POST", "/v1/score", json.dumps({"rows": [row]})) == 200
            process.send_signal(signal.SIGTERM)
            out, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode in {0, 143}
    assert "Traceback" not in errors
    assert out == f"http://127.0.0.1:{port}\n"

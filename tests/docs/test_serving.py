"""Runs docs/serving.md from start to end: a frame, a bundle, a service, a ranking, a second bundle swapped in, ONNX."""

from __future__ import annotations

import re
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.estimators.click_tables import click_log
from tests.service.running_services import Client, running
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.errors import RankElastorError
from rankelastor.serving.predict_proba import predict_proba

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"
BLOCK = re.compile(r"```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)


@pytest.mark.slow  # two trainings and a service
def test_the_page_runs_from_start_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"log": click_log(), "later": click_log(200, seed=2)}
    blocks = ((found["language"], found["text"]) for found in BLOCK.finditer(PAGE.read_text()))
    fit, verify, serve, rank, swap, export, onnx = blocks
    exec(fit[1], names)
    result = CliRunner().invoke(app, shlex.split(verify[1])[1:])
    assert result.exit_code == 0, result.output
    assert shlex.split(serve[1])[:3] == ["rankelastor", "serve", "model.rank"]
    options = serve_options(shlex.split(serve[1])[2:])
    assert (options["port"], options["watch"]) == (8000, True)
    with running(options["place"], watch=options["watch"]) as client:
        exec(rank[1].replace("8000", str(client.port)), names)
        first = names["answer"]["probabilities"]
        assert first == sorted(first, reverse=True)
        exec(swap[1], names)
        expected = float(predict_proba("model.rank", click_log(1).drop("click"))[0])
        wait_for(client, click_log(1).drop("click").to_dicts(), expected)
        exec(rank[1].replace("8000", str(client.port)), names)
        assert names["answer"]["probabilities"] != first
    result = CliRunner().invoke(app, shlex.split(export[1])[1:])
    assert result.exit_code == 0, result.output
    monkeypatch.setattr(sys, "path", sys.path.copy())
    exec(onnx[1], names)
    later = names["later"].drop("click")
    np.testing.assert_allclose(names["score"](later.to_dicts())[:, 0], predict_proba("model.rank", later), atol=1e-5)


def serve_options(arguments: list[str]) -> dict[str, Any]:
    """Parse the arguments of ``rankelastor serve`` as the command line does."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return group.commands["serve"].make_context("serve", arguments).params


def wait_for(client: Client, rows: list[dict[str, Any]], expected: float) -> None:
    """Wait until the new model answers."""
    for _ in range(100):
        if client.score(rows)["probabilities"][0] == pytest.approx(expected, abs=1e-9):
            return
        time.sleep(0.2)
    raise RankElastorError("the new model was never taken")

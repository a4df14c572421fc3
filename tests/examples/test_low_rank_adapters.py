"""A LoRA-like subclass of a per-token linear layer trains and scores with its own forward, with kernels and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "low_rank_adapters.py"
_REPORT = """
import json, sys, torch
sys.path.insert(0, {folder!r})
import low_rank_adapters as example
torch.manual_seed(1)
ranker = example.fresh_ranker()
losses = example.train(ranker, num_steps=3)
layers = example.adapt(ranker)
plain = example.score(ranker, example.some_clicks(99))
losses += example.train(ranker, num_steps=6)
calls = [layer.num_calls for layer in layers]
adapted = example.score(ranker, example.some_clicks(99))
calls_of_scoring = [layer.num_calls - before for layer, before in zip(layers, calls)]
for layer in layers:
    layer.up.data.zero_()
without = example.score(ranker, example.some_clicks(99))
print(json.dumps({{"losses": losses, "calls": calls, "calls_of_scoring": calls_of_scoring, "adapted": adapted,
                  "without": without, "plain": plain}}))
"""


def report(kernels: str) -> dict[str, list[float]]:
    code = _REPORT.format(folder=str(EXAMPLE.parent))
    environment = os.environ | {"RANKELASTOR_KERNELS": kernels}
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    values: dict[str, list[float]] = json.loads(finished.stdout)
    return values


@pytest.fixture(scope="module")
def reports() -> dict[str, dict[str, list[float]]]:
    return {kernels: report(kernels) for kernels in ("on", "off")}


def test_the_adapters_forward_runs_in_every_step_and_in_scoring(reports: dict[str, dict[str, list[float]]]) -> None:
    for values in reports.values():
        assert min(values["calls"]) >= 6 + 1  # six steps, and the scoring before them
        assert min(values["calls_of_scoring"]) >= 1


def test_results_agree_with_kernels_and_without(reports: dict[str, dict[str, list[float]]]) -> None:
    on, off = reports["on"], reports["off"]
    for name in ("losses", "adapted", "without"):
        assert torch.allclose(torch.tensor(on[name]), torch.tensor(off[name]), atol=2e-6), name


def test_the_adapters_delta_counts(reports: dict[str, dict[str, list[float]]]) -> None:
    for values in reports.values():
        adapted, without = torch.tensor(values["adapted"]), torch.tensor(values["without"])
        assert (adapted - without).abs().max() > 1e-3


def test_the_example_runs_as_a_script() -> None:
    finished = subprocess.run([sys.executable, "-W", "error", EXAMPLE], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "weights unchanged: True" in finished.stdout

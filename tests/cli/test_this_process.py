"""What the command line changes in its own process, and what it does not load."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

HEAVY = (
    "fastapi",
    "huggingface_hub",
    "matplotlib",
    "onnx",
    "optuna",
    "pandas",
    "plotly",
    "ray",
    "scipy",
    "sklearn",
    "sympy",
    "tensorboard",
    "torch._dynamo",
    "torch._inductor",
    "torch.distributed.checkpoint",
    "torchrec",
)
"""Modules that take a tenth of a second or several to import, and that few verbs need."""


def loaded_by(*calls: str) -> list[str]:
    """Call the command line, once after the other in one process of its own, and return which of HEAVY are loaded."""
    program = (
        "import sys\n"
        "from rankelastor.cli.main import main\n"
        f"for call in {calls!r}:\n"
        "    sys.argv = ['rankelastor', *call.split()]\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code, call\n"
        f"print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.rpartition("loaded:")[2].split()


def test_training_and_scoring_load_nothing_heavy_that_they_do_not_need(
    recipe_values: dict[str, Any], tmp_path: Path
) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(recipe_values))
    run, rows = tmp_path / "run", tmp_path / "log" / "test.csv"
    calls = (
        f"train {recipe} --run {run}",
        f"evaluate {run}",
        f"predict {run} {rows} {tmp_path / 'scored.csv'}",
        f"describe {run}",
    )
    assert loaded_by(*calls) == []


def test_help_and_lists_load_nothing_heavy(tmp_path: Path) -> None:
    calls = ("--help", "train --help", "models", f"runs {tmp_path}", f"schema {tmp_path / 'schema.json'}")
    assert loaded_by(*calls) == []


def test_a_table_of_arrow_still_becomes_a_frame() -> None:
    """Arrow is told that there is no pandas until it is asked for one."""
    pytest.importorskip("pandas")
    program = (
        "import sys, pyarrow as pa\n"
        "from rankelastor.cli import this_process\n"
        "this_process.leave_pandas_out()\n"
        "pa.array([1.0, None]).to_numpy(zero_copy_only=False)\n"
        "print('pandas' in sys.modules, pa.table({'a': [1, 2]}).to_pandas()['a'].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["False", "[1, 2]\n"]


def test_a_caller_of_a_verb_keeps_its_garbage_collector_and_pandas() -> None:
    program = (
        "import gc, sys\n"
        "from rankelastor.cli import this_process\n"
        "this_process.begin_to_compute()\n"
        "print(gc.get_threshold() == (700, 10, 10), gc.get_freeze_count(), 'pyarrow' in sys.modules)\n"
        "this_process.start_quickly()\n"
        "this_process.begin_to_compute()\n"
        "print(gc.get_threshold() == (700, 10, 10), gc.get_freeze_count() > 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "0", "False", "True", "True"]


@pytest.mark.parametrize(
    ("given", "found"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_threads_wait_asleep_unless_the_user_says_otherwise(given: dict[str, str], found: str) -> None:
    program = (
        "import os, sys; sys.argv = ['rankelastor', '--version']\n"
        "from rankelastor.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    )
    without = {name: value for name, value in os.environ.items() if name not in {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}}
    done = subprocess.run(
        [sys.executable, "-c", program], env=without | given, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-2:] == [found, "False"]

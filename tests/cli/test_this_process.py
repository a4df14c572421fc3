"""What the command line changes in its own process, and what it does not load."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rankelastor.cli.main import VERBS

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
OTHER_VERBS = (
    "rankelastor.backtesting",
    "rankelastor.bundles",
    "rankelastor.cli.backtest",
    "rankelastor.cli.serve",
    "rankelastor.cli.study",
    "rankelastor.drafting",
    "rankelastor.ensembles",
    "rankelastor.estimators",
    "rankelastor.explanations",
    "rankelastor.export",
    "rankelastor.interop",
    "rankelastor.profiling",
    "rankelastor.service",
    "rankelastor.spectrum.report",
    "rankelastor.studies",
    "rankelastor.tuning",
)
"""Modules of ours that only other verbs than `train` need."""


def loaded_by(*calls: str, among: Sequence[str] = HEAVY) -> list[str]:
    """Call the command line, once after the other in one process of its own; return which of the modules are loaded."""
    program = (
        "import sys\n"
        "from rankelastor.cli.main import main\n"
        f"for call in {calls!r}:\n"
        "    sys.argv = ['rankelastor', *call.split()]\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code, call\n"
        f"print('loaded:', *[name for name in {tuple(among)!r} if name in sys.modules])"
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


def test_training_loads_nothing_of_other_verbs(recipe_values: dict[str, Any], tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(recipe_values))
    call = f"train {recipe} --run {tmp_path / 'run'}"
    assert loaded_by(call, among=(*HEAVY, *OTHER_VERBS)) == []


def test_the_version_loads_no_verb() -> None:
    verbs = [f"rankelastor.cli.{verb}" for verb in VERBS]
    assert loaded_by("--version", among=(*HEAVY, "torch", "numpy", *verbs)) == []


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


def ended_quickly(body: str, *, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run a program that makes its quick end first, and return its exit code and what it printed."""
    program = (
        f"import atexit, logging, sys\nfrom rankelastor.cli.this_process import QuickEnd\nend = QuickEnd()\n{body}"
    )
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    call = [sys.executable, "-c", program]
    return subprocess.run(call, stdout=stdout, stderr=subprocess.PIPE, env=buffered, text=True, check=False, timeout=60)


KEPT = "class Kept:\n    def __del__(self): print('taken apart')\nkept = Kept()\n"
"""A program that can tell whether its modules are taken apart."""


def test_a_quick_end_runs_what_was_registered_for_it_and_flushes_but_takes_nothing_apart() -> None:
    body = "atexit.register(print, 'registered')\nend.code = 7\nprint('printed')"
    done = ended_quickly(KEPT + body)
    assert (done.returncode, done.stdout.split()) == (7, ["printed", "registered"])


@pytest.mark.parametrize(("last", "code"), [("pass", 0), ("raise SystemExit(3)", 3), ("raise ValueError", 1)])
def test_the_interpreter_ends_a_process_whose_code_is_not_known(last: str, code: int) -> None:
    done = ended_quickly("import os\nos._exit = lambda code: print('left at once')\n" + last)
    assert (done.returncode, done.stdout) == (code, "")


def test_a_quick_end_writes_the_records_that_a_logger_holds(tmp_path: Path) -> None:
    log = tmp_path / "records.log"
    done = ended_quickly(
        "from logging.handlers import MemoryHandler\n"
        f"handler = MemoryHandler(9, target=logging.FileHandler({str(log)!r}))\n"
        "logging.getLogger().addHandler(handler)\n"
        "logging.warning('held')\n"
        "end.code = 0"
    )
    assert (done.returncode, log.read_text(encoding="utf-8")) == (0, "held\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_output_that_cannot_be_written_is_not_lost_in_silence() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = ended_quickly("print('lost')\nend.code = 0", stdout=full.fileno())
    assert done.returncode == 120
    assert "No space left" in done.stderr


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["teach"], 2), (["describe", "nowhere.yaml"], 2)])
def test_the_program_ends_with_the_code_of_its_verb(arguments: list[str], code: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rankelastor", *arguments], capture_output=True, check=False, timeout=60, cwd=tmp_path
    )
    assert done.returncode == code

"""docs/extending.md does what it says: each example is applied to a copy of the package, counted, and run."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from difflib import ndiff
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.docs.worked_examples import Command, Count, read_examples

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = read_examples(CHECKOUT / "docs" / "extending.md")
MIXING, MODEL, KIND, METRIC, VERB = "A mixing", "A model without tokens", "A field kind", "A metric", "A verb"
LOWERING, MERGE = "A fast lowering of a layer", "For a merge request"


USE_OF_KIND = """
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.raw.rows import read_rows
from rankelastor.data_report.report import report_on

dataset = PreparedDataset.open("prepared/prefix")
encoder = RowEncoder.load(dataset.folder)
feature = next(place for place, spec in enumerate(dataset.manifest.features) if spec.name == "region")
print(dataset.manifest.features[feature].describe())
values = encoder.vocabularies["region"].values.to_list()
print(sorted(values)[1:], sorted(values))
(rows,) = read_rows("new.csv", encoder.csv)
unseen = encoder.schema.features[feature].num_ids - 1
print(encoder.encode(rows).categorical[:, 1].tolist() == [values.index("94") + 1, unseen])
print(report_on(dataset).ids["region"].most_frequent[0].text == values[0])
"""


def copied_package(root: Path) -> Path:
    """Copy the package to ``root``, with compiled modules, which saves their compilation."""
    shutil.copytree(CHECKOUT / "src/rankelastor", root / "src/rankelastor")
    return root


def write_log(folder: Path) -> None:
    """Write ``clicks.csv``, in which even prices are clicked more often, and ``new.csv`` with unseen values."""
    draw = random.Random(1)
    rows = [(draw.choice("abc"), draw.choice(["94110", "94105", "10001", ""]), draw.randint(1, 9)) for _ in range(400)]
    lines = [f"{int(draw.random() < 0.2 + 0.5 * (price % 2 == 0))},{item},{code},{price}" for item, code, price in rows]
    (folder / "clicks.csv").write_text("\n".join(["click,item,zip,price", *lines]) + "\n")
    (folder / "new.csv").write_text("item,zip,price\na,94999,3\nnew,77,\n")


def in_copy(root: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with the copy of the package below ``root``."""
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment, timeout=300)


def run_page(name: str, folder: Path, *further: str) -> None:
    """Apply an example to a copy of the package, and run its doctests, its commands and ``further`` ones in ``folder``.

    Each command must print what the page shows; what begins with ``error:`` must be a mistake's message.
    """
    root, example = copied_package(folder / "copy"), EXAMPLES[name]
    example.apply(root, paths="src/*")
    for part in (EXAMPLES[""], example):
        part.apply(folder, paths="*.yaml")
    write_log(folder)
    commands = [*example.commands, *(Command(text, ()) for text in further)]
    todo = {"modules": example.new_modules, "commands": [command.text for command in commands]}
    done = in_copy(root, str(Path(__file__).parent / "run_commands.py"), json.dumps(todo), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["failed_doctests"] == 0, done.stdout
    for command, of_command in zip(commands, result["commands"], strict=True):
        is_mistake = any(line.startswith("error:") for line in command.prints)
        assert of_command["exit_code"] == (2 if is_mistake else 0), (command.text, of_command["prints"])
        for line in command.prints:
            assert squeezed(line) in squeezed(of_command["prints"]), (command.text, of_command["prints"])


def squeezed(text: str) -> str:
    """Make every run of whitespace one space."""
    return " ".join(text.split())


@pytest.mark.parametrize("name", [MIXING, MODEL, KIND, METRIC, VERB, LOWERING])
def test_an_example_touches_what_its_count_says(name: str, tmp_path: Path) -> None:
    root = copied_package(tmp_path)
    before = {path: path.read_text().splitlines() for path in root.rglob("*.py")}
    EXAMPLES[name].apply(root, paths="src/*")
    after = {path: path.read_text().splitlines() for path in root.rglob("*.py")}
    changed = [path for path, lines in before.items() if after[path] != lines]
    assert len(changed) == 1
    lines = [line[0] for line in ndiff(before[changed[0]], after[changed[0]]) if line[0] in "+-"]
    has_import = len(lines) == 2
    assert lines == ["+"] * len(lines)
    assert EXAMPLES[name].count == Count(len(after) - len(before), len(lines) - has_import, has_import)
    assert EXAMPLES[name].count.num_files == EXAMPLES[name].count.num_lines == 1, "the target"


def test_a_mixing_is_described_trained_and_explained(tmp_path: Path) -> None:
    run_page(MIXING, tmp_path, "rankelastor schema recipe.schema.json", "rankelastor spectrum runs/shift")
    assert pl.read_csv(tmp_path / "scored.csv")["probability"].is_between(0, 1).all()
    settings = json.loads((tmp_path / "recipe.schema.json").read_text())["$defs"]["ShiftMixingSettings"]
    assert settings["properties"]["num_parts"]["default"] == 2
    assert settings["properties"]["num_parts"]["description"].startswith("number of parts that a token is cut into")


def test_a_model_without_tokens_goes_through_every_verb(tmp_path: Path) -> None:
    run_page(MODEL, tmp_path, "rankelastor evaluate runs/fm")
    assert pl.read_csv(tmp_path / "scored.csv")["probability"].is_between(0, 1).all()
    result = json.loads((tmp_path / "runs" / "fm" / "result.json").read_text())
    assert result["model"] == "fm"
    assert result["cost"]["dense_parameters"] == 3 * 8 + 1 + 8
    assert (tmp_path / "runs" / "fm" / "spectrum" / "report.html").is_file()


def test_a_field_kind_is_prepared_trained_and_served(tmp_path: Path) -> None:
    run_page(KIND, tmp_path, "rankelastor describe prepared/prefix --json")
    assert pl.read_csv(tmp_path / "scored.csv").height == 2
    used = in_copy(tmp_path / "copy", "-c", USE_OF_KIND, cwd=tmp_path)
    assert used.returncode == 0, used.stderr
    assert used.stdout.splitlines() == ["prefix of 2", "['10', '94'] ['', '10', '94']", "True", "True"]


def test_a_metric_is_in_results_tables_and_the_monitor(tmp_path: Path) -> None:
    run_page(METRIC, tmp_path)
    result = json.loads((tmp_path / "runs" / "brier" / "result.json").read_text())
    assert 0 < result["test"]["brier"] < 0.5
    (line,) = (tmp_path / "runs" / "brier" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["metrics"]["brier"] == result["valid"]["brier"]


def test_a_verb_is_listed_and_runs(tmp_path: Path) -> None:
    run_page(VERB, tmp_path, "rankelastor history --help")


def test_a_lowering_is_held_by_the_registry_against_its_layer(tmp_path: Path) -> None:
    root = copied_package(tmp_path)
    for name in ("pyproject.toml", "tests/conftest.py", "tests/shape_checks.py", "tests/nn/gradients.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, root / name)
    shutil.copytree(CHECKOUT / "tests/execution", root / "tests/execution")
    for name in (MIXING, LOWERING, MERGE):
        EXAMPLES[name].apply(root, paths="src/*")
        EXAMPLES[name].apply(root, paths="tests/*")
    tests = ["tests/nn/mixing/test_shift.py", "tests/execution/kernels/test_registry.py"]
    chosen = ["-k", "shift or Shift or registered_type", "-p", "no:cacheprovider", "-q"]
    done = in_copy(root, "-m", "pytest", *tests, *chosen, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.rpartition(" passed")[0].split()[-1]) > 40

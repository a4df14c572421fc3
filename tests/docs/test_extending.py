"""docs/extending.md does what it says: its examples are applied to a copy of the package, counted, and run."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.docs.worked_examples import Count, read_examples

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = read_examples(CHECKOUT / "docs" / "extending.md")
MIXING, SEQUENCE, MODEL = "A mixing", "A sequence layer", "A model without tokens"
KIND, METRIC, VERB = "A field kind", "A metric", "A verb"
LOWERING, MERGE = "A fast lowering of a layer", "For a merge request"
RUN = (MIXING, SEQUENCE, MODEL, KIND, METRIC, VERB)
HOME = "/home/me"
"""The folder in which the page's commands run, as the page writes it."""
FURTHER_COMMANDS = (
    "rankelastor schema recipe.schema.json",
    "rankelastor spectrum runs/shift",
    "rankelastor evaluate runs/nfm",
    "rankelastor history --help",
)
USE_OF_KIND = """
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.raw.rows import read_rows
from rankelastor.data_report.report import report_on

dataset = PreparedDataset.open("prepared/prefix")
encoder = RowEncoder.load(dataset.folder)
(rows,) = read_rows("new.csv", encoder.csv)
ids = encoder.encode(rows).categorical[:, 1].tolist()
print(dataset.manifest.features[1].describe(), dataset.frame("train")["region"].unique().sort().to_list(), ids)
print([value.text for value in report_on(dataset).ids["region"].most_frequent])
"""


@dataclass(frozen=True)
class Ran:
    """The folder in which the commands of the page ran, and what came of them."""

    folder: Path
    failed_doctests: dict[str, int]
    commands: dict[str, tuple[int, str]]
    scripts: dict[str, str]

    def read_json(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text())


def copied_package(root: Path) -> Path:
    """Copy the package to ``root``, with what Python has compiled."""
    shutil.copytree(CHECKOUT / "src/rankelastor", root / "src/rankelastor")
    return root


def in_copy(root: Path, *arguments: str, cwd: Path) -> str:
    """Run Python with the copy of the package below ``root``, whose coverage nobody asks for: what it prints."""
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    environment.pop("COVERAGE_PROCESS_CONFIG", None)
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_log(folder: Path) -> None:
    """Write ``clicks.csv``, in which odd prices are clicked more often, and ``new.csv`` with unseen values."""
    draw = random.Random(1)
    rows = [(draw.choice("abc"), draw.choice(["94110", "94105", "10001"]), draw.randint(1, 9)) for _ in range(400)]
    lines = [f"{draw.random() < 0.2 + 0.5 * (price % 2):d},{item},{code},{price}" for item, code, price in rows]
    lines = [f"{line},{'|'.join(draw.choices('abc', k=draw.randint(0, 6)))}" for line in lines]
    (folder / "clicks.csv").write_text("\n".join(["click,item,zip,price,past", *lines]) + "\n")
    (folder / "new.csv").write_text("item,zip,price,past\na,94999,3,a|b\nnew,77,,\n")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Apply all examples to one copy and run the page from top to bottom, in one process."""
    folder = tmp_path_factory.mktemp("extending")
    root = copied_package(folder / "copy")
    EXAMPLES[""].apply(folder, paths="*.yaml")
    for name in RUN:
        EXAMPLES[name].apply(root, paths="src/*")
        EXAMPLES[name].apply(folder, paths="*.yaml")
    write_log(folder)
    (folder / "use_of_kind.py").write_text(USE_OF_KIND)
    todo = {
        "modules": [module for name in RUN for module in EXAMPLES[name].new_modules],
        "commands": [*(command.text for name in RUN for command in EXAMPLES[name].commands), *FURTHER_COMMANDS],
        "scripts": ["use_of_kind.py"],
    }
    printed = in_copy(root, str(Path(__file__).parent / "run_commands.py"), json.dumps(todo), cwd=folder)
    return Ran(folder, **json.loads(printed))


@pytest.mark.parametrize("name", [*RUN, LOWERING])
def test_an_example_touches_what_its_count_says(name: str, tmp_path: Path) -> None:
    root = copied_package(tmp_path)
    before = {path: path.read_text().splitlines() for path in root.rglob("*.py")}
    EXAMPLES[name].apply(root, paths="src/*")
    after = {path: path.read_text().splitlines() for path in root.rglob("*.py")}
    ((old, new),) = [(lines, after[path]) for path, lines in before.items() if after[path] != lines]
    marks = "".join(line[0] for line in ndiff(old, new) if line[0] in "+-")
    assert marks in {"+", "++"}
    assert EXAMPLES[name].count == Count(num_files=len(after) - len(before), num_lines=1, imports=marks == "++")
    assert len(after) - len(before) == 1


@pytest.mark.parametrize("name", RUN)
def test_commands_print_what_the_page_shows(name: str, ran: Ran) -> None:
    assert EXAMPLES[name].commands
    for command in EXAMPLES[name].commands:
        exit_code, prints = ran.commands[command.text]
        is_mistake = any(line.startswith("error:") for line in command.prints)
        assert exit_code == (2 if is_mistake else 0), f"{command.text}\n{prints}"
        for line in [" ".join(command.prints)] if is_mistake else command.prints:
            assert squeezed(line) in squeezed(prints.replace(str(ran.folder), HOME)), command.text


def squeezed(text: str) -> str:
    """Make every run of whitespace one space."""
    return " ".join(text.split())


def test_examples_in_docstrings_run(ran: Ran) -> None:
    assert ran.failed_doctests == dict.fromkeys(ran.failed_doctests, 0)
    assert len(ran.failed_doctests) == len(RUN)


def test_further_commands_run(ran: Ran) -> None:
    for command in FURTHER_COMMANDS:
        assert ran.commands[command][0] == 0, ran.commands[command]


def test_a_mixing_scores_and_stands_in_the_json_schema(ran: Ran) -> None:
    settings = ran.read_json("recipe.schema.json")["$defs"]["ShiftMixingSettings"]["properties"]
    assert settings["num_parts"]["default"] == 2
    assert settings["num_parts"]["description"].startswith("Number of parts that a token is cut into")
    assert pl.read_csv(ran.folder / "shift.csv")["probability"].is_between(0, 1).all()
    assert ran.read_json("runs/shift/spectrum/spectrum.json")


def test_a_sequence_layer_is_trained_and_scores(ran: Ran) -> None:
    assert ran.read_json("runs/recency/result.json")["cost"]["dense_parameters"] == 3 * 8 * 8 + 8 + 8 + 1
    assert pl.read_csv(ran.folder / "recency.csv")["probability"].is_between(0, 1).all()


def test_a_model_without_tokens_is_trained_scored_and_measured(ran: Ran) -> None:
    result = ran.read_json("runs/nfm/result.json")
    assert result["model"] == "nfm"
    assert result["cost"]["dense_parameters"] == 3 * 8 + 1 + 8
    assert pl.read_csv(ran.folder / "nfm.csv")["probability"].is_between(0, 1).all()
    assert (ran.folder / "runs/nfm/spectrum/report.html").is_file()


def test_a_field_kind_is_prepared_served_described_and_reported_on(ran: Ran) -> None:
    encoded, reported = ran.scripts["use_of_kind.py"].splitlines()
    assert encoded == "prefix of 2 [1, 2] [1, 3]"  # 94999 in training's region 94; region 77 out of vocabulary
    assert reported == "['94', '10']"
    assert pl.read_csv(ran.folder / "region.csv")["probability"].is_between(0, 1).all()


def test_a_metric_is_in_results_and_is_the_monitor(ran: Ran) -> None:
    result = ran.read_json("runs/brier/result.json")
    assert 0 < result["test"]["brier"] < 0.5
    (line,) = (ran.folder / "runs/brier/metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["metrics"]["brier"] == result["valid"]["brier"]
    assert f"{result['test']['brier']:.6f}" in ran.commands["rankelastor evaluate runs/brier"][1]
    assert "monitor: brier" in (ran.folder / "runs/brier/config.yaml").read_text()


def test_a_verb_has_help_and_shows_the_run(ran: Ran) -> None:
    assert "Example: rankelastor history" in ran.commands["rankelastor history --help"][1]
    (line,) = (ran.folder / "runs/ranker/metrics.jsonl").read_text().splitlines()
    assert f"{json.loads(line)['train_loss']:.6f}" in ran.commands["rankelastor history runs/ranker"][1]


def test_tests_of_a_merge_request_pass_and_a_registered_lowering_is_held_against_its_layer(tmp_path: Path) -> None:
    root = copied_package(tmp_path)
    for name in (
        "pyproject.toml",
        "tests/conftest.py",
        "tests/local_ray.py",
        "tests/local_s3.py",
        "tests/shape_checks.py",
        "tests/nn/gradients.py",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, root / name)
    shutil.copytree(CHECKOUT / "tests/execution", root / "tests/execution")
    for name in (MIXING, SEQUENCE, MODEL, LOWERING, MERGE):
        EXAMPLES[name].apply(root, paths="src/*")
        EXAMPLES[name].apply(root, paths="tests/*")
    own = ["tests/nn/mixing/test_shift.py", "tests/nn/sequence/test_recency.py", "tests/models/test_nfm.py"]
    tests = [*own, "tests/execution/kernels/test_registry.py"]
    chosen = ["-k", "shift or Shift or registered_type or recency or nfm", "-p", "no:cacheprovider", "-q"]
    options = ["-o", "addopts=--import-mode=importlib"]  # without the checks of shapes, which take long to import
    printed = in_copy(root, "-m", "pytest", *tests, *chosen, *options, cwd=root)
    assert "passed" in printed
    assert "skipped" not in printed

"""The command line in a separate process: its exit codes and its output."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.terminals import Shown, in_pipes
from typer.testing import CliRunner

from rankelastor.cli.main import VERBS, app, app_of, verbs_for

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def rankelastor(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rankelastor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=cwd, env=ENVIRONMENT)


def in_one_process(*commands: Sequence[object], cwd: Path) -> list[Shown]:
    """Run one command after the other in one process, since loading torch takes longer than most of them."""
    return in_pipes([list(map(str, command)) for command in commands], cwd, {"COLUMNS": "100"})


@pytest.fixture
def recipe_file(recipe_values: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe_values))
    return path


def test_every_verb_has_help_with_an_example(tmp_path: Path) -> None:
    verbs = [verb.replace("_", "-") for verb in VERBS]
    pages = in_one_process(*[[verb, "--help"] for verb in verbs], cwd=tmp_path)
    without = [
        verb for verb, page in zip(verbs, pages, strict=True) if f"Example: rankelastor {verb}" not in page.stdout
    ]
    assert without == []
    assert {page.code for page in pages} == {0}


def test_help_names_what_happens_without_an_option(tmp_path: Path) -> None:
    train, schema = in_one_process(["train", "--help"], ["schema", "--help"], cwd=tmp_path)
    assert "runs/NAME" in train.stdout
    assert "standard output" in schema.stdout


@pytest.mark.parametrize(
    ("arguments", "verbs"),
    [
        (["train", "a.yaml"], ("train",)),
        (["-q", "-v", "train", "runs"], ("train",)),
        (["import-fuxictr"], ("import_fuxictr",)),
        (["--version"], ()),
        ([], VERBS),
        (["--help"], VERBS),
        (["--help", "train"], VERBS),
        (["teach"], VERBS),
        (["import_fuxictr"], VERBS),
        (["--install-completion", "bash"], VERBS),
    ],
)
def test_a_call_makes_the_verb_that_it_names_and_any_other_call_all(
    arguments: list[str], verbs: tuple[str, ...]
) -> None:
    assert verbs_for(arguments) == verbs


def test_one_verb_says_the_same_of_itself_alone_and_among_all() -> None:
    for verb in VERBS:
        name = verb.replace("_", "-")
        alone, among_all = (
            CliRunner().invoke(made, [name, "--help"], prog_name="rankelastor") for made in (app_of([verb]), app)
        )
        assert (alone.exit_code, alone.stdout) == (0, among_all.stdout)


def test_help_does_not_load_torch() -> None:
    code = "import sys; from rankelastor.cli.main import app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_from_raw_files_to_probabilities(recipe_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (tmp_path / "new.csv").write_text("site,device,price,user\na,phone,1.0,u1\n")
    prepared, trained, evaluated, predicted = in_one_process(
        ["prepare", recipe_file],
        ["train", recipe_file, "--run", run, "--set", "training.seed=4"],
        ["evaluate", run, "--split", "valid", "--json"],
        ["predict", run, tmp_path / "new.csv", tmp_path / "scored.csv"],
        cwd=tmp_path,
    )
    assert prepared.code == 0, prepared.stderr
    assert "train 10 rows" in prepared.stdout
    assert trained.code == 0, trained.stderr
    assert "AUC" in trained.stdout
    assert "GFLOP/s that a matrix product reaches here" in trained.stdout
    assert "MB peak memory" in trained.stdout
    assert re.search(
        r"epoch 1/3  step 3  train loss 0\.\d+  valid auc \d.*logloss.* lr 0\.01 .*examples/s.* left", trained.stderr
    )
    assert trained.stderr.count("train loss") == 3
    assert json.loads((run / "result.json").read_text())["seed"] == 4
    assert json.loads(evaluated.stdout)["valid"]["num_examples"] == 10
    assert predicted.code == 0, predicted.stderr
    assert (tmp_path / "scored.csv").read_text().startswith("site,device,price,user,probability\na,phone,1.0,u1,0.")


def test_a_process_of_its_own_prepares_too(recipe_file: Path) -> None:
    prepared = rankelastor("prepare", recipe_file)
    assert prepared.returncode == 0, prepared.stderr
    assert "train 10 rows" in prepared.stdout


def test_describe_tells_fields_tree_and_cost(recipe_file: Path) -> None:
    shown = rankelastor("describe", recipe_file)
    assert shown.returncode == 0, shown.stderr
    for text in ("device", "numeric", "FullMixing  -> 3 x 6", "dense parameters", "FLOPs per example"):
        assert text in shown.stdout


def test_names_that_look_like_markup_are_shown_as_they_are(recipe_values: dict[str, Any], tmp_path: Path) -> None:
    recipe_values["data"]["fields"] = [
        {"kind": "categorical", "column": column, "name": name}
        for column, name in (("site", "[/b]x"), ("device", "[red]y"), ("user", "plain"))
    ]
    recipe_values["data"]["prepared"] = str(tmp_path / "[bold]")
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(recipe_values))
    prepared, shown = in_one_process(
        ["prepare", tmp_path / "odd.yaml"], ["describe", tmp_path / "odd.yaml"], cwd=tmp_path
    )
    assert f"{tmp_path / '[bold]'}: 3 features" in prepared.stdout, prepared.stderr
    assert shown.code == 0, shown.stderr
    assert "[/b]x" in shown.stdout
    assert "[red]y" in shown.stdout


def test_describe_names_cheaper_mixings_where_full_mixing_dominates(recipe_file: Path, tmp_path: Path) -> None:
    small = ["--set", "model.head.kind=linear", "--set", "model.ffn={kind: mlp, hidden_dims: [4]}"]
    split, shown = in_one_process(
        ["describe", recipe_file, "--set", "model.mixing={kind: split}"],
        ["describe", recipe_file, "--set", "model.token_dim=60", *small],
        cwd=tmp_path,
    )
    assert "warning" not in split.stdout
    assert shown.code == 0, shown.stderr
    assert "warning: full mixing takes" in shown.stdout
    for kind in ("{kind: kronecker, num_groups: 1}", "{kind: low_rank, rank: 15}", "{kind: block, block_dim: 15}"):
        assert kind in shown.stdout
    assert "try --set 'model.mixing={kind: block, block_dim: 15}'" in shown.stdout


def test_profile_shows_the_stages_of_a_step(recipe_file: Path, tmp_path: Path) -> None:
    shown, plain, none = in_one_process(
        ["profile", recipe_file, "--steps", 2, "--warmup", 1],
        ["profile", recipe_file, "--steps", 2, "--json"],
        ["profile", recipe_file, "--steps", 0],
        cwd=tmp_path,
    )
    assert shown.code == 0, shown.stderr
    for text in ("embedding", "tokenizer", "mixing", "FFN", "head", "optimiser", "data", "backward", "examples/s"):
        assert text in shown.stdout
    as_json = json.loads(plain.stdout)
    assert as_json["num_steps"] == 2
    assert {"stage", "ms", "share", "forward_ms", "backward_ms"} == set(as_json["stages"][0])
    assert none.code == 2
    assert "error: steps must be 1 or more, but 0 was given" in none.stderr


def test_schema_describes_the_recipe(tmp_path: Path) -> None:
    written, shown = in_one_process(["schema", tmp_path / "schema.json"], ["schema"], cwd=tmp_path)
    assert written.code == 0
    schema = json.loads((tmp_path / "schema.json").read_text())
    assert schema["additionalProperties"] is False
    assert json.loads(shown.stdout) == schema


MISTAKES: dict[str, str] = {
    "training.sed=2": "unknown setting training.sed; did you mean seed?",
    "training.seed": "a change must read PATH=VALUE, but 'training.seed' was given",
    "model.kind=widedeep": "model.kind must be one of 'rankelastor', 'rankmixer', 'mlp', 'dcn_v2'",
    "model.num_tokens=5": "num_tokens must divide field * embedding_dim = 12",
    "data.files.train=nowhere.csv": "nowhere.csv",
    "data.label=clicked": "clicked",
}


def test_a_mistake_is_one_message_and_exit_code_2(recipe_file: Path, tmp_path: Path) -> None:
    commands: list[list[object]] = [
        ["train", recipe_file, "--run", tmp_path / "run", "--set", change] for change in MISTAKES
    ]
    for failed, message in zip(in_one_process(*commands, cwd=tmp_path), MISTAKES.values(), strict=True):
        assert failed.code == 2
        assert failed.stderr.removeprefix("\n").startswith("error: ")
        assert message in failed.stderr
        assert "Traceback" not in failed.stderr
    assert not (tmp_path / "run").exists()


def test_a_wrong_call_exits_with_2(tmp_path: Path) -> None:
    calls: list[list[object]] = [
        ["train"], ["train", "nowhere.yaml"], ["fly"], ["evaluate", "nowhere"], ["predict", "a", "b", "c"],
    ]  # fmt: skip
    for failed in in_one_process(*calls, cwd=tmp_path):
        assert failed.code == 2
        assert "Traceback" not in failed.stderr
    assert rankelastor("train", "nowhere.yaml", cwd=tmp_path).returncode == 2


def test_ctrl_c_exits_with_130_and_leaves_nothing(
    recipe_values: dict[str, Any], recipe_file: Path, tmp_path: Path
) -> None:
    rows = (Path(recipe_values["data"]["files"]["folder"]) / "train.csv").read_text().splitlines()
    many = "\n".join([rows[0], *rows[1:] * 100_000])
    (Path(recipe_values["data"]["files"]["folder"]) / "train.csv").write_text(many)
    command = [sys.executable, "-m", "rankelastor", "prepare", str(recipe_file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".prepared.partial/staged/*")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "error: stopped; all files on disk are complete" in stderr
    assert not list(tmp_path.glob("*prepared*"))

"""Every verb in an environment as poor as there is, and tables on terminals of all widths."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.cli.terminals import Shown, in_pipes, on_a_terminal

from rankelastor.cli.main import VERBS

POOR = {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1", "COLUMNS": "40", "TERM": "dumb"}
RECIPE = {
    "name": "x",
    "data": {
        "prepared": "prep",
        "files": {"all": "log.csv"},
        "split": {"kind": "random", "valid": 0.2, "test": 0.2, "seed": 1},
        "label": "click",
        "fields": [
            {"kind": "categorical", "column": ["用户 id", "a_name_of_a_column_that_is_longer_than_forty_characters"]},
            {"kind": "numeric", "column": "price"},
        ],
    },
    "model": {
        "kind": "rankelastor",
        "embedding_dim": 4,
        "num_tokens": 3,
        "token_dim": 4,
        "num_blocks": 1,
        "tokenizer": {"kind": "split"},
        "ffn": {"kind": "glu", "hidden_dims": [4]},
    },
    "training": {"epochs": 2, "batch_size": 32, "device": "cpu"},
}
FUXICTR = {
    "model_config.yaml": {"mine": {"model": "DCN", "dataset_id": "log", "batch_size": 10, "patience": 1}},
    "dataset_config.yaml": {
        "log": {
            "data_root": ".",
            "train_data": "log.csv",
            "valid_data": "log.csv",
            "feature_cols": [{"name": "price", "dtype": "str", "type": "categorical", "größe": "用"}],
            "label_col": {"name": "click", "dtype": "float"},
        }
    },
}
STUDY = {"name": "small", "recipes": {"mine": "r.yaml"}, "seeds": 1, "rank_examples": 0}
TRAINED = [
    ["prepare", "r.yaml"],
    ["train", "r.yaml", "--run", "run"],
    ["train", "r.yaml", "--run", "other", "--set", "training.seed=2"],
]
SHOWN = [
    ["evaluate", "run"],
    ["compare", "run", "other"],
    ["spectrum", "run", "--examples", "20", "--to", "report"],
    ["predict", "run", "log.csv", "out.csv", "--force"],
    ["embeddings", "run", "--to", "vectors", "--force"],
    ["theory", "--trials", "1"],
    ["describe", "r.yaml"],
    ["describe", "run"],
    ["describe", "prep"],
    ["profile", "r.yaml", "--steps", "1", "--warmup", "0"],
    ["schema"],
    ["models", "--recipe", "r.yaml"],
    ["sample", "sample"],
    ["init", "log.csv", "--label", "click", "--to", "drafted.yaml", "--force"],
    ["import-fuxictr", ".", "--expid", "mine", "--to", "imported.yaml", "--force"],
    ["data", "list"],
    ["runs", "."],
    ["verify", "run"],
    ["repeat", "run"],
    ["ensemble", "run", "other", "--to", "both"],
    ["bundle", "run", "bundled.rank", "--force"],
    ["export", "run", "exported", "--force"],
    ["explain", "run", "--repeats", "2"],
    ["tune", "r.yaml", "--trials", "1", "--to", "tuned"],
    ["study", "run", "study.yaml", "--to", "studied"],
    ["demo", "--rows", "1000", "--to", "demo"],
]
NOT_AS_JSON = {"predict", "schema", "sample", "bundle"}
TESTED_AS_JSON_ELSEWHERE = {"train", "demo", "theory", "spectrum", "repeat", "ensemble", "tune", "study", "compare"}
TESTED_ELSEWHERE = {"backtest", "import-published", "serve"}
"""The first needs a log of several days, see test_backtest.py, the second a checkpoint of the published code, see
test_import_published.py; the third ends with a signal."""
COMMANDS = [*TRAINED, *SHOWN]
AS_JSON = [[*command, "--json"] for command in COMMANDS if command[0] not in NOT_AS_JSON | TESTED_AS_JSON_ELSEWHERE]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a log whose names are long or foreign and whose numbers are large."""
    folder = tmp_path_factory.mktemp("größe")
    names = "click,用户 id,a_name_of_a_column_that_is_longer_than_forty_characters,price"
    rows = [f"{row % 2},é{row % 5},{'long' * 20}{row % 3},{row}000000" for row in range(100)]
    (folder / "log.csv").write_text("\n".join([names, *rows]) + "\n", encoding="utf-8")
    for name, values in {"r.yaml": RECIPE, "study.yaml": STUDY, **FUXICTR}.items():
        (folder / name).write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def poor(place: Path) -> dict[str, Shown]:
    """Run every verb in the poor environment, by its command line."""
    commands = [*COMMANDS, *AS_JSON]
    shown = in_pipes(commands, place, POOR, without=["HOME", "LANG"])
    return {" ".join(command): each for command, each in zip(commands, shown, strict=True)}


def test_every_verb_is_run_here() -> None:
    verbs = {verb.replace("_", "-") for verb in VERBS}
    assert {command[0] for command in COMMANDS} | TESTED_ELSEWHERE == verbs


def test_no_verb_fails_for_its_surroundings(poor: dict[str, Shown]) -> None:
    assert {command: each.stderr for command, each in poor.items() if each.code} == {}
    assert not [command for command, each in poor.items() if "Traceback" in each.stderr]


def test_characters_that_a_stream_lacks_are_escaped(poor: dict[str, Shown]) -> None:
    assert r"\u7528\u6237 id" in poor["describe prep"].stdout
    assert "é1" in poor["describe prep"].stdout  # latin-1 has it


def test_a_pipe_gets_all_of_a_table(poor: dict[str, Shown]) -> None:
    shown = poor["describe prep"].stdout
    assert "long" * 20 + "0" in shown
    assert "a_name_of_a_column_that_is_longer_than_forty_characters" in shown
    assert re.search(r"price +as_is +4\.90e\+07 +2\.93e\+07 +0 .* 9\.90e\+07", shown), shown


def test_json_is_whole_and_alone_on_stdout(poor: dict[str, Shown]) -> None:
    values = {" ".join(command): json.loads(poor[" ".join(command)].stdout) for command in AS_JSON}
    assert values["describe run --json"]["result"]["best_epoch"] >= 1
    assert values["describe run --json"]["fields"][0]["name"] == "用户 id"
    assert values["describe r.yaml --json"]["result"] is None
    assert values["data list --json"][0]["id"] == "Criteo_x1"
    assert values["prepare r.yaml --json"]["num_rows"] == {"train": 60, "valid": 20, "test": 20}


def test_progress_goes_to_stderr_alone(poor: dict[str, Shown]) -> None:
    assert "epoch 1/2" in poor["train r.yaml --run run"].stderr
    assert "epoch 1/2" not in poor["train r.yaml --run run"].stdout


@pytest.mark.parametrize("columns", [40, 200])
@pytest.mark.usefixtures("poor")
def test_a_terminal_of_any_width_shows_whole_numbers(place: Path, columns: int) -> None:
    """The large numbers are those of F8.2 in the list of inputs that people have: their exponents were cut."""
    report, ids, *others = on_a_terminal(
        [["describe", "prep"], ["data", "list"], ["describe", "run"], ["evaluate", "run"]], place, columns=columns
    )
    assert {"4.90e+07", "2.93e+07", "9.90e+07"} <= set(report.stdout.split())
    for shown in (report, ids, *others):
        assert shown.code == 0, shown.stdout
        assert not re.search(r"[0-9.]…", shown.stdout), shown.stdout
    for shown in (report, ids):  # sentences are not broken, so that they can be copied
        assert max(map(len, shown.stdout.splitlines())) <= columns, shown.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_stream_that_takes_nothing_is_one_message() -> None:
    command = [sys.executable, "-m", "rankelastor", "data", "list"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "error: standard output must take what is printed, but the disk is full\n"


@pytest.mark.parametrize("option", ["", "--json"])
def test_a_reader_that_stops_early_gets_no_traceback(option: str) -> None:
    command = f"{sys.executable} -m rankelastor data list {option} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("", "")

"""What all verbs have in common."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rankelastor.cli.console import manner
from rankelastor.cli.main import VERBS, app
from rankelastor.recipes.load import dump_yaml
from rankelastor.recipes.recipe import Recipe

STUDY = ("study run", "study table", "study report", "study refresh")
GROUPS, GROUPED = {"data", "study"}, ("data list", "data fetch", *STUDY)
LEAVES = [*(verb.replace("_", "-") for verb in VERBS if verb not in GROUPS), *GROUPED]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="rankelastor")


@pytest.mark.parametrize("call", [[], ["data"], ["-h"], ["data", "-h"], ["data", "list", "-h"]])
def test_a_bare_call_and_h_show_help_and_exit_with_0(call: list[str]) -> None:
    shown = invoke(*call)
    assert shown.exit_code == 0
    assert "Usage: rankelastor" in shown.stdout


@pytest.mark.parametrize("verb", LEAVES)
def test_every_verb_has_the_common_options(verb: str) -> None:
    shown = invoke(*verb.split(), "-h").stdout
    assert "--quiet" in shown
    assert "--verbose" in shown


def test_the_group_can_print_completion_for_a_shell() -> None:
    assert "--install-completion" in invoke("-h").stdout
    completed = CliRunner().invoke(
        app,
        [],
        prog_name="rankelastor",
        env={"_RANKELASTOR_COMPLETE": "complete_bash", "COMP_WORDS": "rankelastor data f", "COMP_CWORD": "2"},
    )
    assert completed.stdout.split() == ["fetch"]


@pytest.mark.parametrize("call", [["-q", "data", "list"], ["data", "list", "--quiet"]])
def test_quiet_is_heard_before_and_after_the_verb(call: list[str]) -> None:
    assert invoke(*call).exit_code == 0
    assert manner.quiet
    invoke("data", "list")
    assert not manner.quiet


def test_quiet_training_prints_its_result_alone(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(dump_yaml(recipe))
    trained = invoke("train", tmp_path / "tiny.yaml", "--run", tmp_path / "run", "--quiet")
    assert trained.exit_code == 0, trained.output
    assert all(line.startswith(("warning: ", "error: ")) for line in trained.stderr.splitlines())
    assert "AUC" in trained.stdout


def test_help_is_broken_by_the_width_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = invoke("prepare", "-h").stdout
    line = next(line for line in shown.splitlines() if "Does nothing if" in line)
    assert line.rstrip().endswith("is replaced only with --force.")


def test_narrow_help_names_options_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    shown = CliRunner().invoke(app, ["spectrum", "-h"], terminal_width=40).stdout
    assert "--examples" in shown
    assert "…" not in shown

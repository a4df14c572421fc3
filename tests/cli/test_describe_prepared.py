import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from rankelastor.cli.data_tables import report_view
from rankelastor.cli.main import app
from rankelastor.data.prepare import prepare
from rankelastor.data_report.report import report_on
from rankelastor.recipes.load import dump_yaml, recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import train

ODD = 'click,site,price\n1,"[red]a\nb[/]",1\n0,"[link=x]",2\n1,,3\n0,' + "long" * 30 + ",4\n"


def describe(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["describe", *arguments], env={"COLUMNS": "100"})
    return result.exit_code, " ".join(result.output.split())


def test_a_prepared_folder_is_reported_on(recipe: Recipe) -> None:
    prepare(recipe.data)
    code, shown = describe(recipe.data.prepared)
    assert code == 0
    assert "30 rows, 3 features, label click" in shown
    assert re.search(r"train 10 33.3 % 50.00 %", shown)
    assert re.search(r"site categorical 3 0.0 % 0.0 % 0.0 %", shown)
    assert "device alone ranks valid with AUC 1.0000" not in shown  # five rows per label are too few for this warning


def test_json_holds_the_same_report(recipe: Recipe) -> None:
    dataset = prepare(recipe.data)
    result = CliRunner().invoke(app, ["describe", recipe.data.prepared, "--json", "--top", "1"])
    assert json.loads(result.stdout) == json.loads(json.dumps(report_on(dataset, top=1).as_dict()))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_values_are_shown_as_they_are_and_no_line_is_too_long(recipe: Recipe, click_log: Path, width: int) -> None:
    for split in ("train", "valid", "test"):
        (click_log / f"{split}.csv").write_text(ODD)
    values = recipe.data.model_dump() | {"fields": [{"kind": "categorical", "column": "site"}]}
    report = report_on(prepare(type(recipe.data).model_validate(values)))
    console = Console(width=width, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(report_view(report, width=width, top=5))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= width
    shown = "\n".join(lines)
    assert "[red]a\\nb[/]" in shown
    assert "[link=x]" in shown
    assert "blank" in shown
    assert "…" in shown


def test_a_recipe_and_a_run_are_described_as_before(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(dump_yaml(recipe))
    code, shown = describe(str(tmp_path / "tiny.yaml"))
    assert code == 0
    assert "FLOPs per example" in shown
    assert f"report on the data: rankelastor describe {recipe.data.prepared}" in shown
    run = train(recipe, folder=tmp_path / "run")
    code, shown = describe(str(run.folder))
    assert code == 0
    assert "FLOPs per example" in shown


def test_a_folder_that_is_neither_is_an_error(tmp_path: Path) -> None:
    code, shown = describe(str(tmp_path))
    assert code == 2
    assert "must be a recipe file, a run folder (with config.yaml) or a prepared folder (with schema.json)" in shown


def test_options_that_do_not_go_together_are_errors(recipe: Recipe) -> None:
    prepare(recipe.data)
    code, shown = describe(recipe.data.prepared, "--set", "training.seed=2")
    assert code == 2
    assert "--set needs a recipe, but a prepared folder and --set training.seed=2 were given" in shown


def test_weights_and_what_is_added_to_logits_are_shown(recipe: Recipe, tmp_path: Path) -> None:
    values = recipe.model_dump(mode="json")
    values["data"]["fields"] = [{"kind": "categorical", "column": ["site", "device"]}]
    values["data"]["weight"] = "share"
    values["data"]["negatives_kept"] = 0.1
    for split in ("train", "valid", "test"):
        rows = (Path(values["data"]["files"]["folder"]) / f"{split}.csv").read_text().splitlines()
        text = "\n".join([f"{rows[0]},share", *(f"{row},{place % 3}" for place, row in enumerate(rows[1:]))])
        (Path(values["data"]["files"]["folder"]) / f"{split}.csv").write_text(text + "\n")
    values["model"] = {"kind": "mlp", "embedding_dim": 2, "hidden_dims": [2]}
    made = recipe_from_values(values)
    (tmp_path / "weighted.yaml").write_text(dump_yaml(made))
    code, shown = describe(str(tmp_path / "weighted.yaml"))
    assert code == 0
    assert "rows weigh what the column share says, in loss and metrics; -2.3026 is added to the logits" in shown
    code, shown = describe(made.data.prepared)
    assert code == 0
    assert "Weights (share)" in shown
    assert re.search(r"train 0\.9 0 2 40\.0 %", shown)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.models.every_model import KINDS
from typer.testing import CliRunner, Result

from rankelastor.cli.main import app


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments])


def test_the_list_names_every_model() -> None:
    result = run()
    assert result.exit_code == 0
    assert all(kind in result.output for kind in KINDS)


def test_one_model_shows_its_settings_and_defaults() -> None:
    result = run("finalnet")
    assert "must be given" in result.output
    assert "field_gate" in result.output


def test_an_unknown_model_is_an_error() -> None:
    assert run("widedeep").exit_code != 0


def test_a_recipe_adds_the_cost(recipe_values: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe_values))
    listed = json.loads(run("--json", "--recipe", str(path)).output)
    costs = {model["kind"]: model["cost"] for model in listed}
    assert costs["fm"]["dense_parameters"] == 1
    assert costs["rankelastor"]["flops_per_example"] > 0
    assert costs["finalmlp"] is None
    assert "-" in run("--recipe", str(path)).output


@pytest.mark.parametrize("kind", KINDS)
def test_json_holds_all_settings(kind: str) -> None:
    (model,) = json.loads(run(kind, "--json").output)
    assert model["kind"] == kind
    assert model["settings"][0]["description"]

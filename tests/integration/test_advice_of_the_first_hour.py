"""What a newcomer does wrong first, from files and YAML to the message: each names the setting that helps."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.data.prepare import prepare
from rankelastor.errors import RankElastorError, StorageError
from rankelastor.recipes.load import load_recipe
from rankelastor.serving.predict import predict
from rankelastor.training.run import train


def mistake(recipe_values: dict[str, Any], train_csv: str, **data: object) -> str:
    """The message of `prepare` for these train rows and settings of the data."""
    folder = Path(recipe_values["data"]["files"]["folder"])
    (folder / "train.csv").write_text(train_csv)
    with pytest.raises(RankElastorError) as caught:
        prepare(load_recipe(recipe_values | {"data": recipe_values["data"] | data}).data)
    return str(caught.value)


def test_a_semicolon_between_cells_leads_to_the_delimiter(recipe_values: dict[str, Any]) -> None:
    rows = "click;site;device;price;user\n1;a;phone;1,5;u1\n"
    assert mistake(recipe_values, rows).endswith(
        'its cells seem to be separated by ";": try csv.delimiter: ";", or convert the file'
    )


@pytest.mark.parametrize("kind", [{"kind": "numeric"}, {"kind": "quantile", "num_buckets": 4}])
def test_an_iso_time_among_numbers_leads_to_the_kind_calendar(recipe_values: dict[str, Any], kind: Any) -> None:
    message = mistake(recipe_values, "click,time\n1,2014-10-21T23:00:00\n", fields=[{**kind, "column": "time"}])
    assert message.endswith("but '2014-10-21T23:00:00' was given; try kind: calendar, format: iso")


def test_yes_and_no_lead_to_the_positive_value_and_it_works(recipe_values: dict[str, Any]) -> None:
    rows = "click,site\nno,a\nyes,b\nno,b\nyes,a\n"
    folder, fields = recipe_values["data"]["files"]["folder"], [{"kind": "categorical", "column": "site"}]
    message = mistake(recipe_values, rows, fields=fields)
    assert "row 1: the label must be 0 or 1, but 'no' was given; " in message
    assert message.endswith('try data.label: {column: click, positive: "yes"}')
    advised = yaml.safe_load(message.rpartition("try ")[2])["data.label"]
    files, split = {"folder": folder, "all": "train.csv"}, {"kind": "file_order", "valid": 0.5, "test": 0}
    data = recipe_values["data"] | {"label": advised, "fields": fields, "files": files, "split": split}
    dataset = prepare(load_recipe(recipe_values | {"data": data}).data)
    assert dataset.frame("train")["click"].to_list() == [0.0, 1.0]


def test_a_bare_yes_in_yaml_is_refused_beside_text(recipe_values: dict[str, Any]) -> None:
    label = yaml.safe_load("{column: click, positive: yes}")
    assert label["positive"] is True
    message = mistake(recipe_values, "click,site,device,price,user\nyes,a,phone,1,u\n", label=label)
    assert message.endswith('YAML reads a bare yes, on or true so: write positive: "yes" in quotes')


def test_python_is_told_of_arguments_and_the_command_line_of_options(
    recipe_values: dict[str, Any], click_log: Path, tmp_path: Path
) -> None:
    recipe_values["training"]["epochs"] = 1
    run = train(load_recipe(recipe_values), folder=tmp_path / "run")
    output = tmp_path / "out.csv"
    output.touch()
    with pytest.raises(StorageError, match=r"try overwrite=True to replace it$"):
        predict(run.folder, click_log / "test.csv", output)
    failed = CliRunner().invoke(app, ["predict", str(run.folder), str(click_log / "test.csv"), str(output)])
    assert failed.exit_code == 2
    assert "exists; try --force to replace it" in failed.stderr
    assert "overwrite" not in failed.stderr
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe_values))
    again = CliRunner().invoke(app, ["train", str(tmp_path / "recipe.yaml"), "--run", str(run.folder)])
    assert "exists; remove it, or name another with --run" in again.stderr


def test_what_does_not_exist_is_said_so_with_what_lies_near(tmp_path: Path) -> None:
    (tmp_path / "frappe-seed1").mkdir()
    for verb in ("describe", "evaluate"):
        failed = CliRunner().invoke(app, [verb, str(tmp_path / "frappe-sed1")])
        assert failed.exit_code == 2
        assert "does not exist; did you mean" in failed.stderr
        assert "frappe-seed1?" in failed.stderr

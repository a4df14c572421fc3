"""The verb init: the recipe that it drafts trains as it stands."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from rankelastor.cli.main import app
from rankelastor.data.prepared import PreparedDataset
from rankelastor.recipes.load import load_recipe

ROWS = 400
START = datetime(2024, 5, 1)  # noqa: DTZ001 - logs hold times without a zone


def frame() -> pl.DataFrame:
    rng = random.Random(1)
    items = [rng.randrange(20) for _ in range(ROWS)]
    return pl.DataFrame(
        {
            "request": [f"r{index:x}" for index in range(ROWS)],
            "when": [START + timedelta(minutes=53 * index) for index in range(ROWS)],
            "user": [f"u{rng.randrange(40)}" for _ in range(ROWS)],
            "item": items,
            "seen_items": [[rng.randrange(20) for _ in range(rng.randrange(5))] for _ in range(ROWS)],
            "title": [f'the "best" one; no, {rng.randrange(9)}' for _ in range(ROWS)],
            "price": [None if rng.random() < 0.05 else round(rng.lognormvariate(1, 1), 2) for _ in range(ROWS)],
            "clicked": ["yes" if rng.random() < 0.2 + 0.5 * (item % 3 == 0) else "no" for item in items],
        }
    )


def flat(log: pl.DataFrame) -> pl.DataFrame:
    seen = pl.col("seen_items").cast(pl.List(pl.String)).list.join("|")
    return log.with_columns(seen, pl.col("when").dt.strftime("%Y-%m-%dT%H:%M:%S"))


def milliseconds(log: pl.DataFrame) -> pl.DataFrame:
    return flat(log.with_columns(clicked=(pl.col("clicked") == "yes").cast(pl.Int8))).with_columns(
        when=log["when"].dt.epoch("ms")
    )


LOGS: dict[str, Callable[[Path], object]] = {
    "semicolons.csv": lambda file: flat(frame()).write_csv(file, separator=";"),
    "tabs.tsv": lambda file: flat(frame()).write_csv(file, separator="\t"),
    "milliseconds.csv": lambda file: milliseconds(frame()).write_csv(file, null_value="NA"),
    "typed.parquet": lambda file: frame().write_parquet(file),
}


def init(*arguments: object, **options: Any) -> Result:
    return CliRunner().invoke(app, ["init", *map(str, arguments)], **options)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", LOGS)
def test_the_recipe_trains_as_it_stands(name: str, here: Path) -> None:
    LOGS[name](here / name)
    drafted = init(name)
    assert drafted.exit_code == 0, drafted.output
    recipe = load_recipe(f"{Path(name).stem}.yaml")
    kinds = {field.patterns[0]: field.kind for field in recipe.data.fields if field.kind != "group"}
    assert kinds | {"when": "calendar"} == {
        "when": "calendar",
        "user": "categorical",
        "item": "categorical",
        "seen_items": "sequence",
        "title": "categorical",
        "price": "numeric",
    }
    assert recipe.data.split is not None
    assert recipe.data.split.kind == "time"
    trained = CliRunner().invoke(
        app, ["train", f"{Path(name).stem}.yaml", "--set", "training.epochs=2"], catch_exceptions=False
    )
    assert trained.exit_code == 0, trained.output
    dataset = PreparedDataset.open(recipe.data.prepared)
    assert [dataset.split(split).num_rows for split in ("train", "valid", "test")] == [320, 40, 40]


def test_every_choice_has_its_reason_in_the_recipe_and_on_the_terminal(here: Path) -> None:
    LOGS["semicolons.csv"](here / "log.csv")
    shown = init("log.csv", env={"COLUMNS": "200"}).output
    text = Path("log.yaml").read_text()
    for reason in (
        "different in every row, so nothing can be learned from it",
        "a time (iso); hour, weekday and weekend differ between rows",
        "'yes' counts as 1: it is the word for it",
        "texts with '|' between elements; the elements are values of item, so the last one and matches with the row's",
        "are features too; nearly all have at most 4",
        "when tells when: the newest rows are test, as when the model is used",
        "a semicolon cuts each line into 8 cells",
    ):
        assert reason in shown
        assert reason in text.replace("\n", " ").replace("    # ", "").replace("  # ", "") or reason in text
    assert "rankelastor train log.yaml" in shown
    assert all(len(line) <= 118 for line in text.splitlines())


def test_json_holds_the_choices(here: Path) -> None:
    LOGS["typed.parquet"](here / "log.parquet")
    plain = json.loads(init("log.parquet", "--json", "--to", "drafts/mine.yaml").output)
    assert plain["recipe"] == "drafts/mine.yaml"
    assert plain["columns"][0] == {
        "column": "request", "fields": [], "reason": "different in every row, so nothing can be learned from it"
    }  # fmt: skip


def test_a_recipe_is_never_replaced_untold(here: Path) -> None:
    LOGS["typed.parquet"](here / "log.parquet")
    Path("log.yaml").write_text("mine")
    refused = init("log.parquet")
    assert refused.exit_code == 2
    assert "log.yaml exists already and is kept; give another place by --to, or --force" in refused.output
    assert Path("log.yaml").read_text() == "mine"
    assert init("log.parquet", "--force").exit_code == 0


def test_without_a_terminal_an_unsure_label_must_be_named(here: Path) -> None:
    frame().rename({"clicked": "outcome_of_it"}).write_parquet(here / "log.parquet")
    refused = init("log.parquet")
    assert refused.exit_code == 2
    assert "there is no terminal to ask at; try --label outcome_of_it" in refused.output.replace("\n", " ")
    assert init("log.parquet", "--label", "outcome_of_it").exit_code == 0
    recipe = load_recipe("log.yaml")
    assert recipe.data.label is not None
    assert recipe.data.label.positive == "yes"


def test_on_a_terminal_it_asks_for_the_label(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame().rename({"clicked": "outcome_of_it"}).write_parquet(here / "log.parquet")
    monkeypatch.setattr("rankelastor.cli.init.is_terminal", lambda: True)
    asked = init("log.parquet", input="outcome_of_it\n")
    assert asked.exit_code == 0, asked.output
    assert "Which column is the label?" in asked.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv does not; "),
        (["."], "a log must be one file, but . is a folder"),
        (["empty.csv"], "empty.csv must hold rows, but it is empty"),
        (["header.csv"], "header.csv must hold rows, but it has none"),
        (["log.parquet", "--label", "price"], "must not be blank, but column 'price' has"),
    ],
)
def test_a_log_that_cannot_be_read_is_one_message(here: Path, arguments: list[str], message: str) -> None:
    frame().write_parquet(here / "log.parquet")
    (here / "empty.csv").touch()
    (here / "header.csv").write_text("a,b\n")
    refused = init(*arguments)
    assert refused.exit_code == 2, refused.output
    assert message in refused.output.replace("\n", " ")
    assert not list(here.glob("*.yaml"))

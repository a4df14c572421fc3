"""The report of a study: tables, Markdown, CSV and a page, from lines of results alone."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.studies.small_study import made_line, small_study, write_yaml
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.errors import RunError, SettingsError
from rankelastor.studies.report.write import StudyReport, report_of, write_study_report
from rankelastor.studies.work.lines import append_line

HOSTILE = "</script><b>wide</b>"
SIZES = {"1": 100, "2": 200, "4": 400, HOSTILE: 800}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of two recipes and four sizes with three seeds, in which the mixer is better by .01."""
    points: dict[str, Any] = {name: {"model.embedding_dim": size} for name, size in SIZES.items()}
    values = small_study(
        axes={"size": {"points": points}},
        seeds=3,
        scaling=[{"along": "size", "floor": "best_possible"}],
    )
    (tmp_path / "out").mkdir()
    for seed in (1, 2, 3):
        for name, size in SIZES.items():
            for recipe, gain in (("elastor", 0.0), ("mixer", 0.01)):
                auc = 0.7 + gain + seed / 100 + size / 1e5 + (seed * size % 7) / 1e5
                line = made_line(
                    recipe, seed, auc,
                    point={"size": name},
                    changes={"model.embedding_dim": size},
                    logloss=0.4 + 0.1 * (size / 100) ** -0.5 - gain / 10 + (seed * size % 5) / 1e5,
                    cost={"dense_parameters": size, "flops_per_example": 2 * size},
                    ranks={"stable_rank": {"tokens": 2.0, "block0.pffn": 2 + size / 1e3 + seed / 100}},
                    best_possible={"test": {"auc": 0.8, "logloss": 0.4}},
                    seconds=1.0,
                )  # fmt: skip
                append_line(tmp_path / "out" / "results.jsonl", line)
    return write_yaml(tmp_path / "small.yaml", values)


def read(study: Path) -> StudyReport:
    return report_of(study, folder=study.parent / "out")


def test_tables_say_what_was_tested_and_what_they_can_tell(study: Path) -> None:
    report = read(study)
    assert [table.name for table in report.tables] == [
        "results", "differences_auc", "differences_logloss", "pareto", "ranks_by_stage", "rank_and_auc", "scaling",
        "crossings",
    ]  # fmt: skip
    text = report.table("differences_auc").as_markdown()
    assert "| 1 | mixer | elastor | +0.010000 |" in text
    assert "Paired t-test over seeds, intervals of 95 %; p corrected for 4 comparisons by Holm." in text
    assert "The smallest difference that one such comparison tells apart" in text
    first = report.table("results").rows[0]
    assert first[:3] == ("elastor", "1", 3)
    pareto = report.table("pareto").as_markdown()
    assert "| dense parameters | mixer/size=1 | 100 |" in pareto
    assert "elastor" not in pareto.split("seconds")[0]


def test_a_fit_has_an_exponent_and_its_interval(study: Path) -> None:
    table = read(study).table("scaling")
    assert [column.title for column in table.columns[:4]] == ["curve", "runs", "sizes", "exponent"]
    assert table.rows[0][:3] == ("elastor", 12, "100 to 800")
    assert table.rows[0][3] == pytest.approx(0.5, abs=0.05)
    assert table.rows[0][-1] == "the loss falls"
    assert "the floor is the log's known best" in table.as_markdown()


def test_files_are_for_people_and_for_programs(study: Path, tmp_path: Path) -> None:
    written = write_study_report(read(study), tmp_path / "report")
    assert {path.name for path in written} >= {"report.html", "report.md", "results.csv", "figures.json"}
    rows = list(csv.DictReader(io.StringIO((tmp_path / "report" / "results.csv").read_text())))
    assert len(rows) == 8
    assert float(rows[0]["test auc"]) == pytest.approx(0.721, abs=0.001)
    page = (tmp_path / "report" / "report.html").read_text()
    assert HOSTILE not in page
    assert "&lt;b&gt;wide" in page
    assert "http://" not in page.split("<script>")[0].replace("http://www.w3.org", "")
    titles = [figure["title"] for figure in json.loads((tmp_path / "report" / "figures.json").read_text())]
    assert titles == [
        "Differences of test auc from elastor", "Differences of test logloss from elastor", "AUC by dense parameters",
        "Scaling of the logloss by dense parameters", "Rank by stage", "Rank and AUC",
    ]  # fmt: skip


def test_a_fit_may_take_some_points_of_an_axis_and_has_a_name(study: Path) -> None:
    values = yaml.safe_load(study.read_text())
    values["scaling"] = [{"name": "low", "along": "size", "where": {"size": ["1", "2", "4"]}}]
    report = read(write_yaml(study, values))
    table = report.table("scaling_low")
    assert table.title.endswith("(low)")
    assert table.rows[0][:3] == ("elastor", 9, "100 to 400")
    values["scaling"][0]["where"] = {"size": ["1", "3"]}
    with pytest.raises(SettingsError, match=r"scaling.where.size must name points of 1, 2, 4, .*'3' was given"):
        read(write_yaml(study, values))


def test_ranks_are_told_after_each_stage(study: Path) -> None:
    row = read(study).table("ranks_by_stage").rows[0]
    assert row == ("elastor", "1", 2, "2.00, 2.12")  # seeds 1 to 3 end at 2.11, 2.12 and 2.13


def test_figures_are_drawn_for_papers(study: Path, tmp_path: Path) -> None:
    place = ["--to", str(study.parent / "out"), "--figures", str(tmp_path / "figures")]
    runner = CliRunner()
    shown = runner.invoke(app, ["study", "plot", str(study), *place])
    assert shown.exit_code == 0, shown.output
    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert names == {
        "differences_auc", "differences_logloss", "auc_by_cost", "scaling", "ranks_by_stage", "rank_and_auc",
    }  # fmt: skip
    drawing = (tmp_path / "figures" / "rank_and_auc.svg").read_text()
    assert "stable rank after the last stage" in drawing
    unknown = runner.invoke(app, ["study", "plot", str(study), *place, "--figure", "ranks"])
    assert unknown.exit_code == 2
    assert "has the figures differences_auc" in unknown.stderr


def test_the_verbs_print_and_write(study: Path) -> None:
    place = ["--to", str(study.parent / "out")]
    runner = CliRunner()
    shown = runner.invoke(app, ["study", "table", str(study), *place, "--table", "pareto"])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("| cost | point |")
    report = runner.invoke(app, ["study", "report", str(study), *place])
    assert report.exit_code == 0, report.output
    assert "24 of 24 runs are finished" in report.stdout
    assert (study.parent / "out" / "report" / "report.html").is_file()
    unknown = runner.invoke(app, ["study", "table", str(study), *place, "--table", "paretto"])
    assert unknown.exit_code == 2
    assert "has the tables results, differences_auc" in unknown.stderr


def test_a_study_without_results_says_how_to_get_some(tmp_path: Path) -> None:
    study = write_yaml(tmp_path / "small.yaml", small_study())
    with pytest.raises(RunError, match=r"a report needs results, but .* holds none of small; `rankelastor study run"):
        report_of(study, folder=tmp_path / "out")

"""Own results stand beside published ones, with what differs; the ledger holds a figure for each study of the paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.studies.small_study import made_line, small_study, write_yaml

from rankelastor.errors import SettingsError
from rankelastor.studies.ledger import read_ledger
from rankelastor.studies.plan.study_file import read_study
from rankelastor.studies.report.write import report_of
from rankelastor.studies.work.lines import append_line

ROOT = Path(__file__).parents[3]
LEDGER = ROOT / "docs" / "published.yaml"


def test_figures_and_differences_stand_side_by_side(tmp_path: Path) -> None:
    entry = {"name": "table 1", "source": "a paper", "data": "their log", "protocol": "ten runs",
             "figures": {"elastor": {"auc": 0.82}, "mixer": {"auc": 0.81}}}  # fmt: skip
    ledger = write_yaml(tmp_path / "ledger.yaml", {"format_version": 1, "entries": [entry]})
    study = write_yaml(tmp_path / "small.yaml", small_study(axes={}, seeds=1, paper="table 1"))
    for recipe, auc in (("elastor", 0.75), ("mixer", 0.7)):
        append_line(tmp_path / "results.jsonl", made_line(recipe, 1, auc))
    report = report_of(study, results=tmp_path / "results.jsonl", ledger=ledger)
    row = report.table("published").rows[1]
    assert row[:6] == ("mixer", "", "auc", 0.7, None, 0.81)
    assert row[6] is None  # another log: the figures themselves are not compared
    assert [float(str(value)) for value in row[7:]] == pytest.approx([-0.05, -0.01])
    assert "a paper; ten runs; data their log" in report.table("published").as_markdown()


def test_a_study_that_names_no_entry_of_the_ledger_is_refused(tmp_path: Path) -> None:
    study = write_yaml(tmp_path / "small.yaml", small_study(axes={}, seeds=1, paper="table 9"))
    append_line(tmp_path / "results.jsonl", made_line("mixer", 1, 0.7))
    with pytest.raises(SettingsError, match="paper must name an entry of the ledger"):
        report_of(study, results=tmp_path / "results.jsonl", ledger=LEDGER)
    with pytest.raises(SettingsError, match="entries is missing"):
        read_ledger(write_yaml(tmp_path / "x.yaml", {"format_version": 1}))


def test_studies_name_entries_whose_models_they_have() -> None:
    ledger = read_ledger(LEDGER)
    for path in (ROOT / "studies").rglob("*.yaml"):
        settings = read_study(path).settings
        papers = (settings.paper,) if isinstance(settings.paper, str) else settings.paper or ()
        for paper in papers:
            if "scaling" not in paper:
                assert set(ledger.entry(paper).figures) & set(settings.recipes), path


def test_a_study_may_name_several_entries(tmp_path: Path) -> None:
    papers = ["results and ablation, Criteo", "results and ablation, Avazu"]
    recipes = small_study()["recipes"]
    recipes = {"rankelastor": recipes["elastor"], "rankmixer": {**recipes["mixer"], "like": "rankelastor"}}
    study = write_yaml(tmp_path / "small.yaml", small_study(axes={}, seeds=1, paper=papers, recipes=recipes))
    append_line(tmp_path / "results.jsonl", made_line("rankelastor", 1, 0.7))
    report = report_of(study, results=tmp_path / "results.jsonl", ledger=LEDGER)
    assert [report.table(f"published_{place}").rows[0][5] for place in (1, 2)] == [0.81482, 0.79323]

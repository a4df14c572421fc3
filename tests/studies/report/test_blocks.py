"""Tables in pages are made from committed results, and a stale one is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.studies.small_study import made_line, small_study, write_yaml
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.errors import RunError
from rankelastor.studies.report.blocks import refresh_page, refreshed
from rankelastor.studies.work.lines import append_line

ROOT = Path(__file__).parents[3]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    write_yaml(tmp_path / "small.yaml", small_study(axes={}, seeds=1))
    append_line(tmp_path / "results.jsonl", made_line("elastor", 1, 0.7))
    append_line(tmp_path / "results.jsonl", made_line("mixer", 1, 0.8))
    path = tmp_path / "page.md"
    path.write_text("Before.\n<!-- study small.yaml results.jsonl results -->\nold\n<!-- end -->\nAfter.\n")
    return path


def test_a_block_is_made_anew_and_the_rest_stays(page: Path) -> None:
    assert refresh_page(page, root=page.parent)
    text = page.read_text()
    assert text.startswith("Before.\n<!-- study small.yaml results.jsonl results -->\n\n| recipe | seeds | test auc |")
    assert text.endswith("<!-- end -->\nAfter.\n")
    assert "old" not in text
    assert not refresh_page(page, root=page.parent)


def test_a_block_of_published_figures_names_their_file(page: Path) -> None:
    entry = {"name": "table 1", "source": "a paper", "data": "their log", "protocol": "one run",
             "figures": {"elastor": {"auc": 0.82}}}  # fmt: skip
    write_yaml(page.parent / "ledger.yaml", {"format_version": 1, "entries": [entry]})
    write_yaml(page.parent / "small.yaml", small_study(axes={}, seeds=1, paper="table 1"))
    page.write_text("<!-- study small.yaml results.jsonl published ledger.yaml -->\n<!-- end -->\n")
    assert refresh_page(page, root=page.parent)
    assert "| elastor |  | auc | 0.700000 |  | 0.820000 |" in page.read_text()


def test_a_stale_page_is_noticed(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(page.parent)
    assert CliRunner().invoke(app, ["study", "refresh", "page.md", "--check"]).exit_code == 1
    assert CliRunner().invoke(app, ["study", "refresh", "page.md"]).exit_code == 0
    assert CliRunner().invoke(app, ["study", "refresh", "page.md", "--check"]).exit_code == 0


def test_a_page_without_blocks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(RunError, match="must hold a block"):
        refresh_page(tmp_path / "page.md")


def test_the_tables_of_the_page_of_results_are_those_of_the_committed_results() -> None:
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert refreshed(text, root=ROOT) == text, "rankelastor study refresh docs/results.md"

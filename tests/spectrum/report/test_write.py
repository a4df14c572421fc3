from __future__ import annotations

import json
import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest

from rankelastor.errors import SettingsError
from rankelastor.extras import how_to_install
from rankelastor.spectrum.comparison import ONE_SEED_EACH
from rankelastor.spectrum.measures import MEASURES
from rankelastor.spectrum.report import write
from rankelastor.spectrum.report.page import render_page
from rankelastor.spectrum.report.payload import full_payload, page_payload, thin_samples
from rankelastor.spectrum.report.write import write_report
from rankelastor.spectrum.runs.over_seeds import over_seeds
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum

Spectra = tuple[RunSpectrum, ...]
LARGEST_PAGE = 6_000_000


def test_a_report_is_a_page_its_data_and_figures(demo_spectra: Spectra, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    written = write_report(demo_spectra, tmp_path / "out")
    assert written.page.stat().st_size < LARGEST_PAGE
    assert json.loads(written.data.read_text())["runs"][0]["name"] == "rankmixer"
    assert {path.name for path in written.figures} == {
        f"{name}.{ending}"
        for name in ("trajectory", "densities", "embedding_tables", "singular_values", "mixings")
        for ending in ("png", "svg", "pdf")
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["figures", "report.html", "spectrum.json"]


def test_a_figure_that_has_nothing_to_draw_is_left_out(demo_spectra: Spectra, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    written = write_report(demo_spectra[:1], tmp_path)
    assert "mixings.pdf" not in {path.name for path in written.figures}


def test_without_matplotlib_there_is_a_report_and_one_warning(
    demo_spectra: Spectra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(write, "find_spec", lambda _: None)
    with caplog.at_level(logging.WARNING):
        written = write_report(demo_spectra, tmp_path)
    assert written.page.is_file()
    assert written.figures == ()
    (record,) = caplog.records
    assert f"try {how_to_install('report')}" in record.getMessage()


def test_the_page_asks_nothing_of_the_network(demo_spectra: Spectra) -> None:
    page = render_page(page_payload(demo_spectra, measure="stable_rank"))
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=[\"']?(https?:)?//", page)


def test_a_name_cannot_end_the_script_it_stands_in(demo_spectra: Spectra) -> None:
    hostile = replace(demo_spectra[0], name="</script><script>alert(1)</script>")
    page = render_page(page_payload([hostile], measure="stable_rank"))
    assert "<script>alert(1)" not in page


def test_the_page_has_a_formula_for_each_measure(demo_spectra: Spectra) -> None:
    page = render_page(page_payload(demo_spectra, measure="stable_rank"))
    for measure in MEASURES:
        assert f'<template id="formula-{measure}"><math>' in page


def test_a_report_of_single_models_says_that_each_is_one_seed(demo_spectra: Spectra) -> None:
    said = full_payload(demo_spectra)["comparisons"]["stable_rank"][0]
    assert ONE_SEED_EACH in said
    assert "clearly different over seeds" not in said


def test_a_group_is_drawn_with_its_seeds(demo_spectra: Spectra, tmp_path: Path) -> None:
    seeds = [replace(demo_spectra[1], name=f"run-{seed}", seed=seed) for seed in (1, 2)]
    group = over_seeds("group", seeds)
    (values,) = page_payload([group], measure="stable_rank")["runs"]
    assert [run["seed"] for run in values["seeds"]] == [1, 2]
    assert values["tables"][0]["spectrum"]["intervals"]["stable_rank"] is not None
    assert values["recording"]["points"][0]["flattened"]["intervals"].keys() == set(MEASURES)
    assert write_report([group, demo_spectra[0]], tmp_path).page.is_file()


def test_later_runs_are_compared_with_the_first(demo_spectra: Spectra) -> None:
    first, *_ = full_payload(demo_spectra)["comparisons"]["stable_rank"]
    assert first.startswith("rankelastor ends at a stable rank of ")
    assert ", rankmixer at " in first


def test_runs_without_a_trajectory_are_compared_with_none(demo_spectra: Spectra) -> None:
    broken = replace(demo_spectra[0], name="broken", trajectories={}, verdicts={})
    compared = full_payload([broken, *demo_spectra])["comparisons"]["stable_rank"]
    assert compared == full_payload(demo_spectra)["comparisons"]["stable_rank"]


def test_a_run_without_a_trajectory_still_has_a_report(demo_spectra: Spectra, tmp_path: Path) -> None:
    broken = replace(demo_spectra[0], trajectories={}, verdicts={}, problems=("all is NaN",))
    written = write_report([broken, demo_spectra[1]], tmp_path)
    assert json.loads(written.data.read_text())["comparisons"]["stable_rank"] == []


def test_long_training_is_thinned_on_the_page_alone(demo_spectra: Spectra) -> None:
    samples = demo_spectra[0].samples[:1] * 5000
    long = replace(demo_spectra[0], samples=samples)
    assert len(full_payload([long])["runs"][0]["samples"]) == 5000
    assert len(page_payload([long], measure="stable_rank")["runs"][0]["samples"]) <= 800
    assert thin_samples((), most=4) == []


def test_a_report_needs_a_run_and_a_known_measure(demo_spectra: Spectra, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least one run"):
        write_report([], tmp_path)
    with pytest.raises(SettingsError, match="a measure must be one of stable_rank"):
        write_report(demo_spectra, tmp_path, measure="rank")

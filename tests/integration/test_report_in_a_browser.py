"""The spectrum report in a real browser: headless Chromium opens it from a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from tests.browsers import chromium
from torch import nn

from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.spectrum import Recorder, over_seeds, report_of
from rankelastor.spectrum.measures import MEASURES
from rankelastor.spectrum.report.page import render_page
from rankelastor.spectrum.report.payload import page_payload
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.spectrum.runs.observer import SpectrumObserver
from rankelastor.studies.demo import run_demo

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser

PHONE, DESKTOP = 375, 1300
ENTER = "\ue007"  # WebDriver's code of the Enter key
HOSTILE = '<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script>'

FIGURES = """
return [...document.querySelectorAll("section:not([hidden]) .plot:not(.empty)")].map((plot) => ({
  id: plot.id,
  traces: (plot.data || []).length,
  drawn: plot.querySelectorAll(".scatterlayer .trace path, .barlayer .trace path, .heatmaplayer image").length,
}));
"""
CURVE = """
return [...document.querySelectorAll("#trajectory .scatterlayer .js-line")].map((line) => line.getAttribute("d"));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report of a RankElastor and of a RankMixer whose name contains HTML."""
    folder = tmp_path_factory.mktemp("trained")
    sampled = SpectrumSettings(every_steps=2, examples=16)
    run_demo(
        folder / "demo",
        num_rows=1000,
        observers_for=lambda _model, run: [SpectrumObserver(sampled, run)],
    )
    spectra = [
        measure_run(folder / "demo" / "runs" / "rankmixer", name=HOSTILE),
        measure_run(folder / "demo" / "runs" / "rankelastor"),
    ]
    spectra[1] = replace(spectra[1], problems=("a problem, for the test",))
    page = folder / "report.html"
    page.write_text(render_page(page_payload(spectra, measure="stable_rank")), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def seeds_report(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report of a group of two seeds beside a run that was sampled once and has long names."""
    runs = report.parent / "demo" / "runs"
    single = measure_run(runs / "rankmixer", name="a-run-with-a-long-name-of-many-words")
    single = replace(single, samples=single.samples[:1], every_steps=500)
    members = [replace(measure_run(runs / "rankelastor"), name=f"elastor-{seed}", seed=seed) for seed in (1, 2)]
    page = tmp_path_factory.mktemp("seeds") / "report.html"
    spectra = [over_seeds("elastor", members), single]
    page.write_text(render_page(page_payload(spectra, measure="stable_rank")), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def own_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report of an MLP of one's own, which has the matrix of all examples alone."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU())
    with Recorder(model, ["0", "1"], matrices="flattened") as recorder, torch.no_grad():
        model(torch.randn(50, 5))
    page = tmp_path_factory.mktemp("own") / "report.html"
    spectra = report_of(recorder.recording(), name="MLP").spectra
    page.write_text(render_page(page_payload(spectra, measure="stable_rank")), encoding="utf-8")
    return page


def plain(text: str) -> str:
    """Leave out spaces and word joiners, which formulas have of their own."""
    return re.sub(r"[\s\u2060]", "", text)


def open_page(browser: Chrome, report: Path, *, width: int = DESKTOP, dark: bool = False) -> None:
    mobile = width == PHONE
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": mobile}
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(report.as_uri())
    assert script(browser, "return document.documentElement.dataset.ready") == "true"


def script(browser: Chrome, text: str, *arguments: Any) -> Any:
    return browser.execute_script(text, *arguments)


def choose(browser: Chrome, select: str, value: str) -> None:
    script(
        browser,
        "const select = document.getElementById(arguments[0]); select.value = arguments[1];"
        "select.dispatchEvent(new Event('change', {bubbles: true}));",
        select,
        value,
    )


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_every_figure_has_drawn_its_traces(browser: Chrome, report: Path, width: int) -> None:
    open_page(browser, report, width=width)
    figures = {figure["id"]: figure for figure in script(browser, FIGURES)}
    assert figures.keys() == {"trajectory", "densities", "training", "tables", "values", "mixing-1"}
    for figure in figures.values():
        assert figure["traces"] > 0, figure
        assert figure["drawn"] > 0, figure
    wide, inner = script(browser, "return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= inner, "the page must not scroll sideways"
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_switching_the_measure_changes_the_curve(browser: Chrome, report: Path, width: int) -> None:
    open_page(browser, report, width=width)
    before, verdict = script(browser, CURVE), script(browser, "return document.getElementById('verdicts').innerText")
    assert len(before) >= 2
    choose(browser, "measure", "entropy_effective_rank")
    assert script(browser, CURVE) != before
    assert script(browser, "return document.getElementById('verdicts').innerText") != verdict
    assert "entropy effective rank" in script(
        browser, "return document.getElementById('trajectory-caption').innerText.toLowerCase()"
    )
    choose(browser, "measure", "stable_rank")
    assert script(browser, CURVE) == before
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("select", "value", "figure"),
    [
        ("matrix", "flattened_centred", "trajectory"),
        ("training-stage", "tokens", "training"),
        ("values-stage", "tokens", "values"),
        ("mixing-point", "block1.mixing", "mixing-1"),
    ],
)
def test_other_choices_change_their_figure(browser: Chrome, report: Path, select: str, value: str, figure: str) -> None:
    open_page(browser, report)
    values = "return JSON.stringify(document.getElementById(arguments[0]).data.map((trace) => trace.z || trace.y));"
    before = script(browser, values, figure)
    choose(browser, select, value)
    assert script(browser, values, figure) != before
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_every_figure_says_measure_matrix_and_examples(browser: Chrome, report: Path) -> None:
    open_page(browser, report)
    captions = script(
        browser,
        "return Object.fromEntries([...document.querySelectorAll('figcaption')].map((c) => [c.id, c.textContent]));",
    )
    for figure in ("trajectory", "densities"):
        assert "stable rank" in captions[f"{figure}-caption"].lower()
        assert "tokenmatrix(T\u00d7D:12\u00d78,6\u00d712)" in plain(captions[f"{figure}-caption"])
        assert "100 examples of the test split" in captions[f"{figure}-caption"]
    assert "16 examples of the training batch" in captions["training-caption"]


def test_nothing_is_asked_of_the_network_and_no_name_runs_as_code(browser: Chrome, report: Path) -> None:
    open_page(browser, report)
    asked = script(browser, "return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in asked if not name.startswith("data:")] == []
    assert script(browser, "return window.hacked") is None
    assert HOSTILE in script(browser, "return document.querySelector('.card h3').textContent")
    assert "a problem, for the test" in script(browser, "return document.getElementById('problems').innerText")


def test_the_table_is_sorted_by_keyboard(browser: Chrome, report: Path) -> None:
    open_page(browser, report)
    shares = (
        "return [...document.querySelectorAll('#tables-table tbody tr')]"
        ".map((row) => parseFloat(row.cells[1].innerText))"
    )
    before = script(browser, shares)
    assert before == sorted(before)
    button = browser.find_element("css selector", "#tables-table [data-key=share]")
    button.send_keys(ENTER)
    assert script(browser, shares) == sorted(before, reverse=True)
    assert script(browser, "return document.activeElement.dataset.key") == "share"


def test_a_run_can_be_hidden_and_the_theme_switched(browser: Chrome, report: Path) -> None:
    open_page(browser, report, dark=True)
    background = "return getComputedStyle(document.body).backgroundColor"
    dark = script(browser, background)
    browser.find_element("id", "theme").click()
    assert script(browser, background) != dark
    browser.find_element("id", "run-0").click()
    assert len(script(browser, "return [...document.querySelectorAll('.card')]")) == 1
    browser.find_element("id", "run-1").click()
    assert "No stage has a value" in script(browser, "return document.getElementById('trajectory').innerText")
    browser.find_element("id", "run-1").click()
    assert len(script(browser, CURVE)) > 0
    script(browser, "localStorage.clear()")
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_each_row_of_each_table_shows_its_run_without_scrolling(
    browser: Chrome, seeds_report: Path, width: int
) -> None:
    open_page(browser, seeds_report, width=width)
    script(browser, "document.querySelectorAll('details').forEach((details) => { details.open = true; });")
    marks = script(
        browser,
        "return [...document.querySelectorAll('#tables-table tbody tr, #trajectory-table .of-run, "
        "#trajectory-table thead')].map((row) => [...row.querySelectorAll('.run-mark')].map((mark) => "
        "[mark.innerText, mark.getBoundingClientRect().right]));",
    )
    rows = [row for row in marks if row]
    assert len(rows) == 2 * 9 + (2 if width == PHONE else 1)  # nine fields, two runs
    assert {name for row in rows for name, _ in row} == {"elastor", "a-run-with-a-long-name-of-many-words"}
    assert max(right for row in rows for _, right in row) <= width


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_reference_lines_lie_below_the_curves_and_their_labels_outside(
    browser: Chrome, seeds_report: Path, width: int
) -> None:
    open_page(browser, seeds_report, width=width)
    layout = script(
        browser,
        "const { shapes, annotations } = document.getElementById('trajectory').layout;"
        "return [shapes.map((shape) => shape.layer), annotations.map((note) => [note.x, note.xanchor])];",
    )
    assert layout == [["below", "below"], [[1, "left"], [1, "left"]]]
    rights = script(
        browser,
        "return [...document.querySelectorAll('#trajectory .annotation')].map((n) => n.getBoundingClientRect().right)",
    )
    assert max(rights) <= width


def test_formulas_are_set_as_formulas(browser: Chrome, report: Path) -> None:
    open_page(browser, report)
    for measure in MEASURES:
        choose(browser, "measure", measure)
        assert len(script(browser, "return [...document.querySelectorAll('#measure-note math')]")) == 1
    height = script(browser, "return document.querySelector('#measure-note math').getBoundingClientRect().height")
    assert height > 0
    assert script(browser, "return document.querySelectorAll('figcaption math').length") > 5


def test_seeds_are_drawn_and_said(browser: Chrome, seeds_report: Path) -> None:
    open_page(browser, seeds_report)
    text = script(browser, "return document.body.innerText")
    assert "2 seeds (1, 2)" in text
    assert "interval over seeds" in text.replace("\u00a0", " ")
    names = script(browser, "return document.getElementById('trajectory').data.map((trace) => trace.name)")
    assert {"elastor", "elastor-1", "elastor-2"} <= set(names)
    assert len(script(browser, "return document.getElementById('auc').data")) == 3  # two seeds and a single run
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_a_run_with_one_sample_says_why(browser: Chrome, seeds_report: Path) -> None:
    open_page(browser, seeds_report)
    caption = script(browser, "return document.getElementById('training-caption').innerText")
    assert "a-run-with-a-long-name-of-many-words has one sample: spectrum.every_steps is 500" in caption


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_model_of_ones_own_has_the_figures_that_it_can_have(browser: Chrome, own_report: Path, width: int) -> None:
    open_page(browser, own_report, width=width)
    figures = {figure["id"]: figure["drawn"] for figure in script(browser, FIGURES)}
    assert figures.keys() == {"trajectory"}
    assert figures["trajectory"] > 0
    assert script(browser, "return document.getElementById('matrix').value") == "flattened"
    assert "MLP has" in script(browser, "return document.getElementById('verdicts').innerText")
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]

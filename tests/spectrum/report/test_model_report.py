"""Reports on models of one's own: sentences, a table, a plot, and the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from rankelastor.errors import SettingsError
from rankelastor.spectrum import Recorder, Recording, StagePoints, report_of
from rankelastor.spectrum.report import write
from rankelastor.spectrum.report.frame import COLUMNS
from rankelastor.spectrum.runs.own_model import spectrum_of_recording


def recorded(seed: int = 0, *, matrices: str = "example") -> Recording:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 6))
    shape = (30, 5) if matrices == "flattened" else (30, 4, 5)
    with Recorder(network, ["0", "1", "2"], matrices=[matrices]) as recorder, torch.no_grad():
        network(torch.randn(shape))
    return recorder.recording()


def test_a_recording_of_any_model_has_a_verdict_and_its_points_are_the_stages() -> None:
    report = report_of(recorded(), name="mine")
    (spectrum,) = report.spectra
    assert spectrum.stages == ("0", "1", "2")
    assert report.sentences[0].startswith("mine has not collapsed: the stable rank of each example's token matrix")
    assert report.sentences == spectrum.verdicts["stable_rank"].sentences


def test_a_recording_of_outputs_without_tokens_is_one_of_the_matrix_of_all_examples() -> None:
    (spectrum,) = report_of(recorded(matrices="flattened")).spectra
    assert spectrum.matrix == "flattened"
    assert "the matrix of all examples (examples x TD) ends at" in spectrum.verdicts["stable_rank"].sentences[0]


def test_the_frame_has_a_row_for_each_model_point_matrix_and_measure() -> None:
    found = recorded()
    frame = report_of({"a": found, "b": recorded(1)}).frame()
    assert frame.columns == list(COLUMNS)
    assert len(frame) == 2 * 3 * 5
    row = frame.filter(model="a", point="1", measure="stable_rank").to_dicts()[0]
    expected = found["1"].examples["stable_rank"]
    assert (row["mean"], (row["low"], row["high"])) == (expected.mean, expected.confidence_interval)
    assert (row["matrix"], row["largest_possible"], row["num_examples"], row["num_seeds"]) == ("example", 4, 30, 1)


def test_recordings_of_several_seeds_are_one_model() -> None:
    report = report_of({"wide": [recorded(1), recorded(2), recorded(3)], "one": recorded(4)})
    assert [len(run.seeds) for run in report.spectra] == [3, 0]
    assert set(report.frame().filter(model="wide")["num_seeds"]) == {3}
    assert "for one more seed of wide" in report.sentences[-1]


def test_the_plot_has_a_curve_for_each_model_with_its_interval() -> None:
    report = report_of({"a": recorded(), "<b>": recorded(1)})
    first, second = report.plot().data
    path = report.spectra[0].trajectories["stable_rank"]
    assert list(first.y) == [stage.mean for stage in path.stages]
    low, high = path.stages[0].confidence_interval or (0, 0)
    assert first.error_y.array[0] == pytest.approx((high - low) / 2)
    assert second.name == "&lt;b&gt;"
    assert "participation ratio" in report.plot("participation_ratio").layout.yaxis.title.text


def test_the_report_is_written_as_that_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "_figures", lambda *_, **__: ())
    written = report_of({"a": recorded(matrices="flattened"), "b": recorded(1)}).write(tmp_path)
    assert [run["matrix"] for run in json.loads(written.data.read_text())["runs"]] == ["flattened", "example"]
    assert "</html>" in written.page.read_text()


def test_stages_may_be_named_as_layers_or_as_points() -> None:
    layers = report_of(recorded(), stages=StagePoints("0", ("1",), ("2",)))
    assert len(layers.spectra[0].trajectories["stable_rank"].layers) == 1
    assert report_of(recorded(), stages=["2"]).spectra[0].stages == ("2",)
    with pytest.raises(SettingsError, match="one of the recorded points 0, 1, 2, but 'x' was given"):
        report_of(recorded(), stages=["x"])


def test_a_measured_spectrum_may_be_given_under_another_name() -> None:
    spectrum = spectrum_of_recording(recorded(), name="before")
    assert report_of(spectrum).spectra == (spectrum,)
    assert report_of({"after": spectrum}).sentences[0].startswith("after has")


def test_a_recording_of_nothing_says_what_to_do() -> None:
    nothing = Recorder(nn.Sequential(nn.Identity()), ["0"]).recording()
    with pytest.raises(SettingsError, match="call the model inside `with recorder:`"):
        report_of(nothing)
    with pytest.raises(SettingsError, match="at least one model"):
        report_of({})

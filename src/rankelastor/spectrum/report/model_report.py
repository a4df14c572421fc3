"""A report on models of one's own, or on measured runs: the page, a table, a plot and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rankelastor.errors import SettingsError
from rankelastor.spectrum.measures import find_measure
from rankelastor.spectrum.recording.statistics import Recording
from rankelastor.spectrum.report.frame import measures_frame
from rankelastor.spectrum.report.payload import comparisons
from rankelastor.spectrum.report.plot import trajectory_figure
from rankelastor.spectrum.report.write import WrittenReport, write_report
from rankelastor.spectrum.runs.over_seeds import over_seeds
from rankelastor.spectrum.runs.own_model import spectrum_of_recording
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
from rankelastor.spectrum.stages import StagePoints

if TYPE_CHECKING:
    import polars as pl
    from plotly.graph_objects import Figure

Recorded = Recording | RunSpectrum
"""What a report can show of one model of one seed."""


@dataclass(frozen=True)
class SpectrumReport:
    """A report on one model or several side by side.

    Attributes:
        spectra: the spectra of the models, in the order in which they are shown.
        measure: the measure that `plot` and the page show first.
    """

    spectra: tuple[RunSpectrum, ...]
    measure: str = "stable_rank"

    def write(self, folder: str | Path) -> WrittenReport:
        """Write ``report.html``, which works offline, ``spectrum.json`` and ``figures/`` to a folder."""
        return write_report(self.spectra, folder, measure=self.measure)

    def frame(self) -> pl.DataFrame:
        """Collect all measures as a table with one row for each model, point, matrix and measure."""
        return measures_frame(self.spectra)

    def plot(self, measure: str | None = None) -> Figure:
        """Draw the trajectories as a plotly figure; None draws the report's measure."""
        return trajectory_figure(self.spectra, measure=measure or self.measure)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdicts and comparisons in plain words."""
        verdicts = [run.verdicts[self.measure] for run in self.spectra if self.measure in run.verdicts]
        words = [sentence for found in verdicts for sentence in found.sentences]
        return (*words, *comparisons(self.spectra, self.measure))


def report_of(
    recorded: Recorded | Mapping[str, Recorded | Sequence[Recorded]],
    *,
    name: str | None = None,
    stages: StagePoints | Sequence[str] | None = None,
    measure: str = "stable_rank",
) -> SpectrumReport:
    """Make a report of what a `Recorder` recorded of any model, or of runs that `measure_run` measured.

    Args:
        recorded: one recording, or several by name, of which later ones are compared with the first. A list of
            recordings under one name is one model trained with several seeds: its intervals are over seeds.
        name: name of a single model in figures and sentences; None takes "model", or the run's name.
        stages: the stages of the trajectory, if these are not all recorded points in their order: `StagePoints` names
            tokens, mixings and FFNs; a list names any points.
        measure: the measure that `SpectrumReport.plot` and the page show first.

    Raises:
        SettingsError: nothing was recorded, a stage was not recorded, or the measure is unknown.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from rankelastor.spectrum import Recorder, report_of
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8))
        >>> with Recorder(model, ["0", "1", "2"], matrices="flattened") as recorder, torch.no_grad():
        ...     _ = model(torch.randn(100, 4))
        >>> report = report_of(recorder.recording(), name="MLP")
        >>> report.frame().filter(measure="numerical_rank", matrix="flattened")["mean"][0]  # 4 inputs and the bias
        5.0
        >>> report.plot().data[0].x
        ('0', '1', '2')
    """
    find_measure(measure)
    by_name = recorded if isinstance(recorded, Mapping) else {_name_of(recorded, name): recorded}
    if not by_name:
        raise SettingsError("a report must show at least one model, but none was given")
    return SpectrumReport(tuple(_spectrum(key, found, stages) for key, found in by_name.items()), measure)


def _name_of(recorded: Recorded, name: str | None) -> str:
    if name is not None:
        return name
    return recorded.name if isinstance(recorded, RunSpectrum) else "model"


def _spectrum(
    name: str, found: Recorded | Sequence[Recorded], stages: StagePoints | Sequence[str] | None
) -> RunSpectrum:
    if isinstance(found, RunSpectrum):
        return found.named(name)
    if isinstance(found, Recording):
        return spectrum_of_recording(found, name=name, stages=stages)
    seeds = [_spectrum(f"{name} ({place})", each, stages) for place, each in enumerate(found, start=1)]
    return seeds[0].named(name) if len(seeds) == 1 else over_seeds(name, seeds)

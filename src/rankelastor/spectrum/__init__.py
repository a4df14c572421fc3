"""Measures of the rank of representations, how it changes through the layers of a model, and reports on it.

Example:
    >>> import torch
    >>> from rankelastor.spectrum import stable_rank
    >>> stable_rank(torch.eye(3))
    tensor(3.)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rankelastor.spectrum.measures import (
        MEASURES,
        all_measures,
        entropy_effective_rank,
        information_abundance,
        numerical_rank,
        participation_ratio,
        stable_rank,
    )
    from rankelastor.spectrum.parameters import (
        measure_embedding_tables,
        measure_gradient,
        measure_matrix,
        measure_weight,
    )
    from rankelastor.spectrum.recording.reading import feature_map_tokens, first_tensor
    from rankelastor.spectrum.recording.recorder import Recorder
    from rankelastor.spectrum.recording.statistics import Recording
    from rankelastor.spectrum.report.model_report import SpectrumReport, report_of
    from rankelastor.spectrum.report.write import write_report
    from rankelastor.spectrum.runs.groups import group_runs
    from rankelastor.spectrum.runs.measure_run import measure_run
    from rankelastor.spectrum.runs.observer import SpectrumObserver
    from rankelastor.spectrum.runs.over_seeds import over_seeds
    from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
    from rankelastor.spectrum.stages import StagePoints

_HOMES = {
    "MEASURES": "measures",
    "all_measures": "measures",
    "entropy_effective_rank": "measures",
    "information_abundance": "measures",
    "numerical_rank": "measures",
    "participation_ratio": "measures",
    "stable_rank": "measures",
    "measure_embedding_tables": "parameters",
    "measure_gradient": "parameters",
    "measure_matrix": "parameters",
    "measure_weight": "parameters",
    "feature_map_tokens": "recording.reading",
    "first_tensor": "recording.reading",
    "Recorder": "recording.recorder",
    "Recording": "recording.statistics",
    "SpectrumReport": "report.model_report",
    "report_of": "report.model_report",
    "write_report": "report.write",
    "group_runs": "runs.groups",
    "measure_run": "runs.measure_run",
    "SpectrumObserver": "runs.observer",
    "over_seeds": "runs.over_seeds",
    "RunSpectrum": "runs.run_spectrum",
    "StagePoints": "stages",
}
"""The module below this package in which each public name is defined."""

__all__ = [
    "MEASURES",
    "Recorder",
    "Recording",
    "RunSpectrum",
    "SpectrumObserver",
    "SpectrumReport",
    "StagePoints",
    "all_measures",
    "entropy_effective_rank",
    "feature_map_tokens",
    "first_tensor",
    "group_runs",
    "information_abundance",
    "measure_embedding_tables",
    "measure_gradient",
    "measure_matrix",
    "measure_run",
    "measure_weight",
    "numerical_rank",
    "over_seeds",
    "participation_ratio",
    "report_of",
    "stable_rank",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the command line answers --help without loading torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rankelastor.spectrum' has no attribute {name!r}; it has {', '.join(_HOMES)}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

"""What `rankelastor spectrum` prints, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rankelastor.spectrum.report.payload import comparisons

if TYPE_CHECKING:
    from rankelastor.spectrum.report.write import WrittenReport
    from rankelastor.spectrum.runs.run_spectrum import RunSpectrum


def spectrum_summary(spectra: Sequence[RunSpectrum], written: WrittenReport, *, measure: str) -> dict[str, Any]:
    """Collect the trajectory of each run in one measure, the sentences on it, and the paths of the report."""
    return {
        "measure": measure,
        "runs": [_run(run, measure) for run in spectra],
        "comparisons": comparisons(spectra, measure),
        "report": str(written.page),
        "data": str(written.data),
        "figures": [str(path) for path in written.figures],
    }


def _run(run: RunSpectrum, measure: str) -> dict[str, Any]:
    points = {point.point: point for point in run.recording.points}
    stages = {}
    for stage in run.stages:
        found = points[stage].examples.get(measure) if stage in points else None
        interval = found.confidence_interval if found else None
        stages[stage] = {
            "mean": found.mean if found else None,
            "confidence_interval": list(interval) if interval else None,
        }
    return {
        "name": run.name,
        "folder": run.folder,
        "model": run.model,
        "split": run.split,
        "num_examples": run.num_examples,
        "test_auc": run.test_auc,
        "max_possible_rank": max((point.max_possible_rank or 0 for point in points.values()), default=None),
        "stages": stages,
        "sentences": list(run.verdicts[measure].sentences) if measure in run.verdicts else [],
        "problems": list(run.problems),
    }

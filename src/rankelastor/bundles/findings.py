"""What a model card tells beyond the run folder: intervals of the metrics, and the verdict of the spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rankelastor.errors import RankElastorError
from rankelastor.evaluation.evaluate import evaluate_with_unseen
from rankelastor.metrics.intervals import Interval
from rankelastor.progress import ProgressListener
from rankelastor.runs.load import LoadedRun
from rankelastor.schema import SplitName
from rankelastor.spectrum.runs.measure_run import measure_run

_MEASURE = "stable_rank"
_NUM_EXAMPLES = 2048


@dataclass(frozen=True)
class Findings:
    """What was found out about a run from its prepared data.

    Attributes:
        split: the split that was scored and measured.
        intervals: intervals of 95 % by task and metric; empty if they were not computed.
        spectrum: the verdict in sentences; empty if the spectrum was not measured.
        reason: why something is missing; None if nothing is.
    """

    split: SplitName
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    spectrum: tuple[str, ...] = ()
    reason: str | None = None


def find_out(run: LoadedRun, *, measure: bool, progress: ProgressListener | None = None) -> Findings:
    """Score the test split of a run (valid, if there is none) and measure its spectrum there.

    Args:
        run: the run.
        measure: False finds out nothing.
        progress: receives the progress.
    """
    split: SplitName = "test" if "test" in run.encoder.manifest.splits else "valid"
    if not measure:
        return Findings(split, reason="they were not asked for")
    try:
        run.dataset()
        intervals = evaluate_with_unseen(run, split=split, progress=progress).intervals
    except RankElastorError as error:
        return Findings(split, reason=f"the prepared data are not at hand ({_first_clause(error)})")
    try:
        measured = measure_run(run.folder, split=split, num_examples=_NUM_EXAMPLES, progress=progress)
    except RankElastorError as error:
        return Findings(split, intervals, reason=_first_clause(error))
    if _MEASURE in measured.verdicts:
        return Findings(split, intervals, measured.verdicts[_MEASURE].sentences)
    return Findings(split, intervals, measured.problems)


def _first_clause(error: RankElastorError) -> str:
    return str(error).partition("; ")[0]

"""Say in words what the demo's figures show of the paper's claim, or why they do not."""

from __future__ import annotations

from collections.abc import Iterator

from rankelastor.percent import percent
from rankelastor.studies.demo import DemoReport, DemoRow

_ENOUGH_GAIN = 0.7
_ENOUGH_ROWS = 200_000
_MANY_ROWS = 400_000
_EVEN = 0.1
"""Stable ranks that differ by less than this are called equal."""


def verdict_of(report: DemoReport) -> tuple[str, ...]:
    """Say what the demo shows of quality, of rank, and what a larger log would add; one sentence or two each.

    The claim: RankElastor uses its tokens better, so that their rank stays higher and its AUC is better.
    """
    mixer, elastor = report.rows
    return (_of_quality(report), _of_rank(mixer, elastor), *_of_size(report))


def _of_quality(report: DemoReport) -> str:
    difference = report.auc_difference
    figures = f"by {abs(difference.value):.4f} (standard error over test rows {difference.standard_error:.4f})"
    if difference.is_noise:
        return f"AUC: no difference that counts; the two differ {figures}."
    better, worse = ("RankElastor", "RankMixer") if difference.value > 0 else ("RankMixer", "RankElastor")
    against = "" if difference.value > 0 else " The paper's claim does not show here."
    return f"AUC: {better} is better than {worse} {figures}, with one training seed each.{against}"


def _of_rank(mixer: DemoRow, elastor: DemoRow) -> str:
    point = list(mixer.mean_stable_rank)[-1]
    of_mixer, of_elastor = mixer.mean_stable_rank[point], elastor.mean_stable_rank[point]
    if of_mixer is None or of_elastor is None:
        return "Rank: it could not be measured."
    figures = f"{of_elastor:.2f} after the last block against {of_mixer:.2f}"
    if abs(of_elastor - of_mixer) < _EVEN:
        return f"Rank: RankElastor's tokens have about the same stable rank as RankMixer's, {figures}."
    if of_elastor > of_mixer:
        return f"Rank: RankElastor's tokens keep the higher stable rank, {figures}, as the paper claims."
    return f"Rank: RankElastor's tokens have the lower stable rank, {figures}; the paper's claim does not show here."


def _of_size(report: DemoReport) -> Iterator[str]:
    best = max(row.share_of_gain for row in report.rows)
    parameters = report.rows[1].dense_parameters
    if best < _ENOUGH_GAIN and report.num_rows < _MANY_ROWS:
        rows = _ENOUGH_ROWS if report.num_rows < _ENOUGH_ROWS else _MANY_ROWS
        yield (
            f"Why not more: {report.num_rows:,} rows are few for this log. The better model reaches "
            f"{percent(best, digits=0)} of the gain in AUC that is possible, since most pairs of values "
            f"occur too seldom to be learned, and the rank of what was not learned says little. Try {rows:,} rows."
        )
    yield (
        f"The models are small ({parameters:,} dense parameters): the paper's claim is about wide ones. With 1.2 "
        "million on such a log RankElastor's last stable rank was 5.4 and RankMixer's 3.8 (of 12), and its AUC better "
        "(docs/results.md)."
    )

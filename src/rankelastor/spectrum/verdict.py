"""A trajectory in plain words: whether the rank collapses, where it is lost, and a comparison with another run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from rankelastor.errors import SettingsError
from rankelastor.spectrum.measures import MEASURES, Measure, find_measure
from rankelastor.spectrum.trajectory import Trajectory, TrajectoryStage

DEFAULT_COLLAPSE_SHARE = 0.1


@dataclass(frozen=True)
class RankLoss:
    """The sublayer with the largest decrease of the measure: ``amount`` is the mean before it minus the mean after."""

    point: str
    layer: int
    kind: str
    amount: float


@dataclass(frozen=True)
class TrajectoryVerdict:
    """Summary of a trajectory: whether the rank has collapsed, and where most of it is lost.

    Attributes:
        collapsed: whether ``share`` is below ``threshold``.
        share: mean after the last stage divided by the largest possible rank.
        threshold: share below which the rank counts as collapsed.
        largest_loss: the sublayer with the largest decrease; None if there is no decrease.
        sentences: the summary in plain words, in reading order.
    """

    collapsed: bool
    share: float
    threshold: float
    largest_loss: RankLoss | None
    sentences: tuple[str, ...]


def verdict(
    path: Trajectory, *, threshold: float = DEFAULT_COLLAPSE_SHARE, other: Trajectory | None = None
) -> TrajectoryVerdict:
    """Summarise a trajectory in words; compare it with another run if one is given.

    Args:
        path: The trajectory.
        threshold: The rank has collapsed if the mean after the last stage is below this share of the largest possible
            rank. No threshold is canonical: the sentences also give the value of Gaussian random matrices of that size.
        other: A trajectory of the same measure to compare with.

    Raises:
        SettingsError: If the threshold is outside 0 .. 1 or the measures differ.
    """
    if not 0 < threshold <= 1:
        raise SettingsError(f"the threshold must satisfy 0 < threshold <= 1, but {threshold} was given")
    collapsed = path.final_share < threshold
    loss = _largest_loss(path)
    sentences = [
        _describe_collapse(path, collapsed=collapsed, threshold=threshold),
        _describe_loss(loss),
        _describe_damping(path),
    ]
    if other is not None:
        sentences += compare(path, other)
    return TrajectoryVerdict(collapsed, path.final_share, threshold, loss, tuple(sentences))


def compare(path: Trajectory, other: Trajectory) -> list[str]:
    """Compare two runs in two sentences: their ranks after the last stage, and their expansion and contraction.

    Raises:
        SettingsError: If the measures differ.
    """
    if path.measure != other.measure:
        raise SettingsError(
            f"compared trajectories must be of one measure, but {path.measure} and {other.measure} were given"
        )
    title = _measure_of(path).title
    last, other_last = path.stages[-1], other.stages[-1]
    clearly = "clearly different" if _intervals_are_apart(last, other_last) else "not clearly different"
    apart = f"{clearly} by their confidence intervals"
    ends = (
        f"{path.name} ends at a {title} of {_format_with_share(path)}, {other.name} at {_format_with_share(other)}: "
        f"{apart}."
    )
    expansion, other_expansion = (fmean(layer.expansion for layer in run.layers) for run in (path, other))
    shrinking, other_shrinking = (fmean(layer.contraction for layer in run.layers) for run in (path, other))
    more = "more" if expansion > other_expansion else "no more"
    keeps = "less" if shrinking < other_shrinking else "no less"
    changes = (
        f"Over its layers {path.name} expands {more} than {other.name} at its mixings ({expansion:+.2f} per mixing "
        f"against {other_expansion:+.2f}), and shrinks {keeps} at its FFNs ({_change_at_ffns(shrinking)} against "
        f"{_change_at_ffns(other_shrinking)})."
    )
    return [ends, changes]


def _change_at_ffns(contraction: float) -> str:
    """Describe a mean contraction in words; it is negative where the FFNs gain rank."""
    return f"{contraction:.2f} lost per FFN" if contraction >= 0 else f"{-contraction:.2f} gained per FFN"


def _describe_collapse(path: Trajectory, *, collapsed: bool, threshold: float) -> str:
    what = "has collapsed" if collapsed else "has not collapsed"
    return (
        f"{path.name} {what}: the {_measure_of(path).title} of {path.matrix} ends at {_format_with_share(path)}, "
        f"{'below' if collapsed else 'not below'} the threshold of {threshold:.0%}; "
        f"it starts at {path.stages[0].mean:.2f}, and Gaussian random matrices of that size have "
        f"{path.gaussian_reference:.2f}."
    )


def _describe_loss(loss: RankLoss | None) -> str:
    if loss is None:
        return "No sublayer loses rank."
    return f"The most is lost at {loss.point}, the {loss.kind} of layer {loss.layer}: {loss.amount:.2f}."


def _describe_damping(path: Trajectory) -> str:
    fit = path.damping
    if fit.slope is None or fit.standard_error is None or fit.factor is None:
        return f"Whether the swings are damped is not defined here: {fit.reason}."
    low, high = fit.slope - 2 * fit.standard_error, fit.slope + 2 * fit.standard_error
    words = "are damped" if high < 0 else "grow" if low > 0 else "are neither clearly damped nor growing"
    return (
        f"From layer to layer the swings {words}: each is {fit.factor:.2f} times the one before "
        f"(slope of log|swing| {fit.slope:+.2f}, standard error {fit.standard_error:.2f})."
    )


def _largest_loss(path: Trajectory) -> RankLoss | None:
    before, after = max(pairwise(path.stages), key=lambda pair: pair[0].mean - pair[1].mean)
    amount = before.mean - after.mean
    return (
        RankLoss(after.point, after.layer, "FFN" if after.kind == "ffn" else "mixing", amount) if amount > 0 else None
    )


def _intervals_are_apart(one: TrajectoryStage, other: TrajectoryStage) -> bool:
    if one.confidence_interval is None or other.confidence_interval is None:
        return False
    return one.confidence_interval[0] > other.confidence_interval[1] or (
        other.confidence_interval[0] > one.confidence_interval[1]
    )


def _format_with_share(path: Trajectory) -> str:
    return f"{path.stages[-1].mean:.2f} of {path.max_possible_rank} possible ({path.final_share:.0%})"


def _measure_of(path: Trajectory) -> Measure:
    assert path.measure in MEASURES
    return find_measure(path.measure)

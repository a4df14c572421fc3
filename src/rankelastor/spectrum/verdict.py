"""A trajectory in plain words: whether the rank collapses, and where it is lost."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from rankelastor.errors import SettingsError
from rankelastor.percent import percent
from rankelastor.spectrum.comparison import compare, format_end
from rankelastor.spectrum.measures import find_measure
from rankelastor.spectrum.trajectory import Trajectory

DEFAULT_COLLAPSE_SHARE = 0.1


@dataclass(frozen=True)
class RankLoss:
    """The stage with the largest decrease of the measure: ``amount`` is the mean before it minus the mean after.

    Where the stages have several shapes, it is the decrease of the share of the possible rank.
    """

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
    sentences = [_describe_collapse(path, collapsed=collapsed, threshold=threshold)]
    if len(path.stages) > 1:
        sentences.append(_describe_loss(path, loss))
    if path.layers:
        sentences.append(_describe_damping(path))
    if other is not None:
        sentences += compare(path, other)
    return TrajectoryVerdict(collapsed, path.final_share, threshold, loss, tuple(sentences))


def _describe_collapse(path: Trajectory, *, collapsed: bool, threshold: float) -> str:
    what = "has collapsed" if collapsed else "has not collapsed"
    seeds = f" (mean over {path.num_seeds} seeds)" if path.num_seeds > 1 else ""
    return (
        f"{path.name} {what}: the {find_measure(path.measure).title} of {path.matrix} ends at {format_end(path)}"
        f"{seeds}, {'below' if collapsed else 'not below'} the threshold of {percent(threshold)}; "
        f"it starts at {path.stages[0].mean:.2f}, and Gaussian random matrices of that size have "
        f"{path.gaussian_reference:.2f}."
    )


def _describe_loss(path: Trajectory, loss: RankLoss | None) -> str:
    if loss is None:
        return "No stage loses rank." if not path.layers else "No sublayer loses rank."
    where = loss.point if loss.kind == "point" else f"{loss.point}, the {loss.kind} of layer {loss.layer}"
    amount = f"{loss.amount:.2f}" if _has_one_shape(path) else f"{percent(loss.amount)} of the possible rank"
    return f"The most is lost at {where}: {amount}."


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
    """Find the largest decrease; where the stages have several shapes, that of the share of the possible rank."""
    heights = [stage.mean if _has_one_shape(path) else stage.share for stage in path.stages]
    losses = [before - after for before, after in pairwise(heights)]
    if not losses or max(losses) <= 0:
        return None
    after = path.stages[losses.index(max(losses)) + 1]
    return RankLoss(after.point, after.layer, "FFN" if after.kind == "ffn" else after.kind, max(losses))


def _has_one_shape(path: Trajectory) -> bool:
    return len({stage.max_possible_rank for stage in path.stages}) == 1

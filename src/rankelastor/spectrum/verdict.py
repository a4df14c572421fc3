"""A trajectory in plain words: collapsed or not, where the rank is lost, how it compares with another run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from rankelastor.errors import SettingsError
from rankelastor.spectrum.measures import MEASURES, Measure, measure_named
from rankelastor.spectrum.trajectory import Stage, Trajectory

DEFAULT_COLLAPSE_SHARE = 0.1


@dataclass(frozen=True)
class Loss:
    """The sublayer that takes the most away: ``amount`` of the measure's mean, from the stage before to its own."""

    point: str
    layer: int
    kind: str
    amount: float


@dataclass(frozen=True)
class Verdict:
    """What a trajectory shows.

    Attributes:
        collapsed: whether the last stage's share of the possible rank is under the threshold.
        share: that share.
        threshold: the share it is held against.
        largest_loss: None where no sublayer loses anything.
        sentences: the same in plain words, to be read from first to last.
    """

    collapsed: bool
    share: float
    threshold: float
    largest_loss: Loss | None
    sentences: tuple[str, ...]


def verdict(path: Trajectory, *, threshold: float = DEFAULT_COLLAPSE_SHARE, other: Trajectory | None = None) -> Verdict:
    """What the trajectory shows, in words; beside another run where one is given.

    Args:
        path: The trajectory.
        threshold: Collapsed means that the last stage's mean is under this share of the largest possible rank. No
            share is natural: the sentences also name the measure of Gaussian random matrices of that size.
        other: To compare with; of the same measure.

    Raises:
        SettingsError: For a threshold outside 0 .. 1, or another measure.
    """
    if not 0 < threshold <= 1:
        raise SettingsError(f"The threshold must hold 0 < threshold <= 1, but {threshold} was given")
    collapsed = path.final_share < threshold
    loss = _largest_loss(path)
    sentences = [_on_collapse(path, collapsed=collapsed, threshold=threshold), _on_loss(loss), _on_damping(path)]
    if other is not None:
        sentences += compare(path, other)
    return Verdict(collapsed, path.final_share, threshold, loss, tuple(sentences))


def compare(path: Trajectory, other: Trajectory) -> list[str]:
    """Two sentences on where both runs end, and on which expands more and shrinks less.

    Raises:
        SettingsError: Where the two are not of the same measure.
    """
    if path.measure != other.measure:
        raise SettingsError(
            f"Trajectories must be of one measure to be compared, but {path.measure} and {other.measure} were given"
        )
    title = _measure_of(path).title
    last, other_last = path.stages[-1], other.stages[-1]
    apart = "clearly apart" if _intervals_are_apart(last, other_last) else "not apart by their confidence intervals"
    ends = f"{path.name} ends at a {title} of {_with_share(path)}, {other.name} at {_with_share(other)}: {apart}."
    expansion, other_expansion = (fmean(layer.expansion for layer in run.layers) for run in (path, other))
    shrinking, other_shrinking = (fmean(layer.contraction for layer in run.layers) for run in (path, other))
    more = "more" if expansion > other_expansion else "no more"
    keeps = "less" if shrinking < other_shrinking else "no less"
    changes = (
        f"Over its layers {path.name} expands {more} than {other.name} at its mixings ({expansion:+.2f} a mixing "
        f"against {other_expansion:+.2f}), and shrinks {keeps} at its FFNs ({_change_at_ffns(shrinking)} against "
        f"{_change_at_ffns(other_shrinking)})."
    )
    return [ends, changes]


def _change_at_ffns(contraction: float) -> str:
    """A mean contraction in words: FFNs may gain rank."""
    return f"{contraction:.2f} lost an FFN" if contraction >= 0 else f"{-contraction:.2f} gained an FFN"


def _on_collapse(path: Trajectory, *, collapsed: bool, threshold: float) -> str:
    what = "has collapsed" if collapsed else "has not collapsed"
    return (
        f"{path.name} {what}: the {_measure_of(path).title} of {path.matrix} ends at {_with_share(path)}, "
        f"{'under' if collapsed else 'not under'} the threshold of {threshold:.0%}; "
        f"it starts at {path.stages[0].mean:.2f}, and Gaussian random matrices of that size have "
        f"{path.gaussian_reference:.2f}."
    )


def _on_loss(loss: Loss | None) -> str:
    if loss is None:
        return "No sublayer loses rank."
    return f"The most is lost at {loss.point}, the {loss.kind} of layer {loss.layer}: {loss.amount:.2f}."


def _on_damping(path: Trajectory) -> str:
    fit = path.damping
    if fit.slope is None or fit.standard_error is None or fit.factor is None:
        return f"Whether the swings are damped is not defined here: {fit.reason}."
    low, high = fit.slope - 2 * fit.standard_error, fit.slope + 2 * fit.standard_error
    words = "die down" if high < 0 else "grow" if low > 0 else "neither clearly die down nor grow"
    return (
        f"From layer to layer the swings {words}: each is {fit.factor:.2f} times the one before "
        f"(slope of log|swing| {fit.slope:+.2f}, standard error {fit.standard_error:.2f})."
    )


def _largest_loss(path: Trajectory) -> Loss | None:
    before, after = max(pairwise(path.stages), key=lambda pair: pair[0].mean - pair[1].mean)
    amount = before.mean - after.mean
    return Loss(after.point, after.layer, "FFN" if after.kind == "ffn" else "mixing", amount) if amount > 0 else None


def _intervals_are_apart(one: Stage, other: Stage) -> bool:
    if one.confidence_interval is None or other.confidence_interval is None:
        return False
    return one.confidence_interval[0] > other.confidence_interval[1] or (
        other.confidence_interval[0] > one.confidence_interval[1]
    )


def _with_share(path: Trajectory) -> str:
    return f"{path.stages[-1].mean:.2f} of {path.max_possible_rank} possible ({path.final_share:.0%})"


def _measure_of(path: Trajectory) -> Measure:
    assert path.measure in MEASURES
    return measure_named(path.measure)

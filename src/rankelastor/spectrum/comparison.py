"""Two trajectories compared in words, with what the number of seeds allows to be said."""

from __future__ import annotations

from statistics import fmean

from rankelastor.errors import SettingsError
from rankelastor.percent import percent
from rankelastor.spectrum.measures import find_measure
from rankelastor.spectrum.seeds import difference_interval, next_seed_interval
from rankelastor.spectrum.trajectory import Trajectory

ONE_SEED_EACH = (
    "Each is one trained model of one seed: this says nothing about other seeds, which may differ by more; train "
    "several seeds of each and compare the groups"
)


def compare(path: Trajectory, other: Trajectory) -> list[str]:
    """Compare two runs, or two groups of runs of several seeds, in plain sentences.

    The ranks after the last stage are called clearly different only where several seeds of each were trained (the 95 %
    interval of the difference by Welch's t) or one model lies outside what the seeds of the other predict. Of two
    single models the intervals over examples are compared, and it is said what they leave out.

    Raises:
        SettingsError: If the measures differ.
    """
    if path.measure != other.measure:
        raise SettingsError(
            f"compared trajectories must be of one measure, but {path.measure} and {other.measure} were given"
        )
    ends = (
        f"{path.name} ends at a {find_measure(path.measure).title} of {format_end(path)}, {other.name} at "
        f"{format_end(other)}: {_judge_ends(path, other)}."
    )
    return [ends, _compare_changes(path, other)] if path.layers and other.layers else [ends]


def format_end(path: Trajectory) -> str:
    """Format the mean after the last stage, as in "5.00 of 10 possible (50 %)"."""
    return f"{path.stages[-1].mean:.2f} of {path.max_possible_rank} possible ({percent(path.final_share)})"


def _judge_ends(path: Trajectory, other: Trajectory) -> str:
    seeds, other_seeds = path.stages[-1].seeds, other.stages[-1].seeds
    if seeds and other_seeds:
        return _judge_two_groups(seeds, other_seeds)
    if seeds:
        return _judge_one_model(other, path)
    if other_seeds:
        return _judge_one_model(path, other)
    return f"{_judge_examples(path, other)}. {ONE_SEED_EACH}"


def _judge_two_groups(seeds: tuple[float, ...], others: tuple[float, ...]) -> str:
    found = difference_interval(seeds, others)
    assert found is not None, "groups have at least two seeds"
    low, high = found
    words = "clearly different" if low > 0 or high < 0 else "not clearly different"
    return (
        f"{words} over seeds; the difference is {fmean(seeds) - fmean(others):+.2f}, 95 % interval {low:+.2f} to "
        f"{high:+.2f} (Welch's t, {len(seeds)} and {len(others)} seeds)"
    )


def _judge_one_model(single: Trajectory, group: Trajectory) -> str:
    found = next_seed_interval(group.stages[-1].seeds)
    assert found is not None, "groups have at least two seeds"
    low, high = found
    words = "inside" if low <= single.stages[-1].mean <= high else "outside"
    return (
        f"{single.name} is one model of one seed, {words} the 95 % interval for one more seed of {group.name}, "
        f"{low:.2f} to {high:.2f} (Student's t, {group.num_seeds} seeds)"
    )


def _judge_examples(path: Trajectory, other: Trajectory) -> str:
    one, two = path.stages[-1].confidence_interval, other.stages[-1].confidence_interval
    if one is None or two is None:
        return "there is no interval by which to call them different"
    if one[0] > two[1] or two[0] > one[1]:
        return "different for these two models, since their 95 % intervals over examples do not overlap"
    return "not clearly different, since their 95 % intervals over examples overlap"


def _compare_changes(path: Trajectory, other: Trajectory) -> str:
    expansion, other_expansion = (fmean(layer.expansion for layer in run.layers) for run in (path, other))
    shrinking, other_shrinking = (fmean(layer.contraction for layer in run.layers) for run in (path, other))
    more = "more" if expansion > other_expansion else "no more"
    keeps = "less" if shrinking < other_shrinking else "no less"
    return (
        f"Over its layers {path.name} expands {more} than {other.name} at its mixings ({expansion:+.2f} per mixing "
        f"against {other_expansion:+.2f}), and shrinks {keeps} at its FFNs ({_change_at_ffns(shrinking)} against "
        f"{_change_at_ffns(other_shrinking)})."
    )


def _change_at_ffns(contraction: float) -> str:
    """Describe a mean contraction in words; it is negative where the FFNs gain rank."""
    return f"{contraction:.2f} lost per FFN" if contraction >= 0 else f"{-contraction:.2f} gained per FFN"

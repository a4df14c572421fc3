"""Monte Carlo check of the paper's bounds: how often they hold, and which conditions fail in real networks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import fmean

import torch
from pydantic import TypeAdapter

from rankelastor.errors import SettingsError
from rankelastor.percent import percent
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.spectrum.bounds.check import BoundCheck
from rankelastor.spectrum.bounds.ffn import departure_from_homogeneity
from rankelastor.spectrum.bounds.trials import ACTIVATIONS, Trials, all_trials

HOMOGENEITY_SCALES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)

WHAT_FAILS_IN_NETWORKS = {
    "split_mixing_lower": "In a network <X, Y> is rarely zero, but only its sign matters; the LayerNorm after the sum "
    "is not covered.",
    "split_mixing_upper": "It often lies above min(T, D), where it is vacuous.",
    "ffn_rank": "GELU is not homogeneous, per-token weights are not shared, and biases and residuals are not covered: "
    "in RankMixer and RankElastor the conditions do not hold.",
    "ffn_contraction": "It is a probabilistic statement, and no stable rank can fall below 1: the stable rank of a "
    "rank-one input whose rows have both signs grows instead.",
    "block_mixing_reach": "Blocks that are fewer than their width never span it, so the condition always holds there.",
    "gate_rank": "No rank exceeds the number of rows or the inner width: the paper's min(D, k(k+1)/2) needs both to "
    "be large enough.",
    "gate_gain": "It is a probabilistic statement; how often it holds depends on the activation, the initial scale and "
    "how far the rank of the input is from its maximum.",
}
"""For each statement, what limits its use for an actual ranker."""


@dataclass(frozen=True)
class TheoryRow:
    """Results for one statement in one setting, over many seeded trials.

    Attributes:
        statement: name of the statement.
        setting: sizes, activation, scale, kind of tokens.
        num_trials: number of trials.
        share_conditions_hold: share of the trials that meet all conditions.
        share_bound_holds: share of all trials in which the bound holds.
        share_bound_holds_given_conditions: the same among trials that meet the conditions; None if there are none.
        mean_slack: mean distance from the bound, positive where the bound holds.
        worst_slack: smallest distance; negative if the bound was violated at least once.
        broken_conditions: number of trials that violate each condition.
        sentence: the results in plain words.
    """

    statement: str
    setting: dict[str, str | int | float]
    num_trials: int
    share_conditions_hold: float
    share_bound_holds: float
    share_bound_holds_given_conditions: float | None
    mean_slack: float
    worst_slack: float
    broken_conditions: dict[str, int]
    sentence: str


@dataclass(frozen=True)
class HomogeneityRow:
    """Departure of an activation from ``phi(cx) = c phi(x)``, relative to ``c * scale``, for |x| up to ``scale``."""

    activation: str
    scale: float
    departure: float


@dataclass(frozen=True)
class TheoryReport:
    """All rows, the homogeneity of each activation, and a sentence for each statement."""

    seed: int
    num_trials: int
    rows: tuple[TheoryRow, ...]
    homogeneity: tuple[HomogeneityRow, ...]
    sentences: dict[str, str]

    def to_json(self) -> str:
        """Serialise to JSON; `from_json` reads it back."""
        return json.dumps(asdict(self), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> TheoryReport:
        """Read and validate a report that `to_json` wrote."""
        return TypeAdapter(TheoryReport).validate_json(text)


def check_bounds(*, seed: int = 0, num_trials: int = 100, progress: ProgressListener | None = None) -> TheoryReport:
    """Check every statement of `bounds` in every setting; the same seed gives the same report.

    Takes about a minute on 2 busy cores with the default number of trials; the time is proportional to it.

    Args:
        seed: Seed of the first setting; each setting has its own random stream.
        num_trials: Trials per setting.
        progress: Listener that is notified after each setting.

    Raises:
        SettingsError: If ``num_trials`` is less than 1.
    """
    if num_trials < 1:
        raise SettingsError(f"num_trials must be at least 1, but {num_trials} was given; try 100")
    with _use_one_thread():
        rows = tuple(_rows(seed, num_trials, progress or SilentProgress()))
    homogeneity = tuple(
        HomogeneityRow(name, scale, departure_from_homogeneity(activation, scale=scale))
        for name, activation in ACTIVATIONS.items()
        for scale in HOMOGENEITY_SCALES
    )
    statements = dict.fromkeys(row.statement for row in rows)
    sentences = {name: _summarise([row for row in rows if row.statement == name]) for name in statements}
    return TheoryReport(seed, num_trials, rows, homogeneity, sentences)


@contextmanager
def _use_one_thread() -> Iterator[None]:
    """Run the block on one PyTorch thread: on matrices this small it is up to eight times as fast as two."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


def _rows(seed: int, num_trials: int, progress: ProgressListener) -> Iterator[TheoryRow]:
    settings = list(all_trials())
    progress.begin("checking the bounds", total=len(settings), unit="settings")
    for offset, trials in enumerate(settings):
        yield _row(trials, seed + offset, num_trials)
        progress.advance(1)
    progress.end()


def _row(trials: Trials, seed: int, num_trials: int) -> TheoryRow:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        checks = [trials.draw(generator) for _ in range(num_trials)]
    covered = [check for check in checks if check.conditions_hold]
    broken = Counter(name for check in checks for name in check.broken_conditions)
    return TheoryRow(
        statement=trials.statement,
        setting=trials.setting,
        num_trials=num_trials,
        share_conditions_hold=len(covered) / num_trials,
        share_bound_holds=_share_holding(checks),
        share_bound_holds_given_conditions=_share_holding(covered) if covered else None,
        mean_slack=fmean(check.slack for check in checks),
        worst_slack=min(check.slack for check in checks),
        broken_conditions=dict(broken),
        sentence=_sentence(trials, checks, broken),
    )


def _share_holding(checks: Sequence[BoundCheck]) -> float:
    return fmean(check.holds for check in checks)


def _sentence(trials: Trials, checks: Sequence[BoundCheck], broken: Counter[str]) -> str:
    setting = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in trials.setting.items())
    value, bound = (
        fmean(numbers) for numbers in zip(*((check.measured, check.bound) for check in checks), strict=True)
    )
    conditions = "all conditions hold" if not broken else f"broken: {', '.join(broken)}"
    return (
        f"{trials.statement} ({setting}): {value:.2f} should be {checks[0].side} {bound:.2f} on average, and is in "
        f"{percent(_share_holding(checks), digits=0)} of {len(checks)} trials; {conditions}."
    )


def _summarise(rows: Sequence[TheoryRow]) -> str:
    covered = [row for row in rows if row.share_bound_holds_given_conditions is not None]
    num_trials = sum(row.num_trials for row in rows)
    num_covered = sum(row.num_trials * row.share_conditions_hold for row in covered)
    num_held = sum(
        row.num_trials * row.share_conditions_hold * (row.share_bound_holds_given_conditions or 0) for row in covered
    )
    num_outside = num_trials - num_covered
    held_outside = sum(row.num_trials * row.share_bound_holds for row in rows) - num_held
    within = f"holds in {round(num_held)} of the {round(num_covered)} trials that meet its conditions"
    outside = f", and in {round(held_outside)} of the {round(num_outside)} that do not" if round(num_outside) else ""
    return f"{rows[0].statement} {within}{outside}. {WHAT_FAILS_IN_NETWORKS[rows[0].statement]}"

"""The journal of a tuning: what optuna drew and what became of it, one line of JSON after the other."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from optuna import Study, Trial, create_study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from rankelastor.errors import RunError
from rankelastor.tuning.draws import Draw
from rankelastor.tuning.record import TrialRecord
from rankelastor.tuning.space import Space

_NAME = "tune"
_RECORD = "record"
_RANDOM_TRIALS = 5
"""Trials that are drawn at random, before the sampler learns from them."""
_TRIALS_BEFORE_PRUNING = 4
_EVALUATIONS_BEFORE_PRUNING = 2


class Journal:
    """The trials of a tuning in a file that is only appended to, so that a killed process loses nothing but a trial.

    The draws of trial i depend on the seed, i and the trials before alone, so that a tuning that was stopped goes on as
    if it had not been.

    Args:
        path: the file, which need not exist.
        space: what is drawn.
        seed: seed of the draws.
    """

    def __init__(self, path: Path, space: Space, *, seed: int) -> None:
        self._space, self._seed = space, seed
        self._distributions = {name: distribution_of(draw) for name, draw in space.draws.items()}
        self._study = _open(path)
        self._put_back_unfinished()

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        """The trials that are over, in order."""
        found = [trial.user_attrs[_RECORD] for trial in self._study.trials if _RECORD in trial.user_attrs]
        return tuple(TrialRecord(**record) for record in sorted(found, key=lambda record: int(record["index"])))

    def ask(self, *, fixed: Mapping[str, Any] | None = None) -> OpenTrial:
        """Draw the next trial.

        Args:
            fixed: values in place of drawn ones, such as those of the recipe as it stands; those outside the space are
                not told to the sampler.
        """
        index = len(self.records)
        # A sampler of its own for each trial has no state that would have to be stored.
        self._study.sampler = TPESampler(seed=_mixed(self._seed, index), n_startup_trials=_RANDOM_TRIALS)
        if fixed is None:
            trial = self._study.ask(self._distributions)
            drawn = {name: draw.value_of(trial.params[name]) for name, draw in self._space.draws.items()}
            return OpenTrial(self._study, trial, index, drawn)
        known = {name: draw.drawn_as(fixed[name]) for name, draw in self._space.draws.items() if name in fixed}
        if len(known) == len(self._space.draws) and None not in known.values():
            self._study.enqueue_trial(known)
            trial = self._study.ask(self._distributions)
        else:
            trial = self._study.ask()
        return OpenTrial(self._study, trial, index, {})

    def _put_back_unfinished(self) -> None:
        """End what a stopped process left open; its values come first when trials are drawn again."""
        for trial in self._study.get_trials(states=[TrialState.RUNNING]):
            waits = bool(trial.params) and len(self.records) > 0
            self._study.tell(trial.number, state=TrialState.FAIL)
            if waits:
                self._study.enqueue_trial(trial.params)


class OpenTrial:
    """A trial that is being trained: its index, what was drawn, and what is told of it.

    Attributes:
        index: number among the trials that are over.
        drawn: drawn values by the name of the draw; empty for the recipe as it stands.
    """

    def __init__(self, study: Study, trial: Trial, index: int, drawn: dict[str, Any]) -> None:
        self._study, self._trial = study, trial
        self.index, self.drawn = index, drawn

    def is_hopeless(self, best_so_far: float, *, num_evaluations: int) -> bool:
        """Tell whether the trial is worse than the median of the others after as many evaluations."""
        self._trial.report(best_so_far, step=num_evaluations)
        return bool(self._trial.should_prune())

    def end(self, record: TrialRecord) -> None:
        """Store what became of the trial."""
        self._trial.set_user_attr(_RECORD, record.as_dict())
        if record.state == "finished" and record.value is not None:
            self._study.tell(self._trial, record.value)
        else:
            self._study.tell(self._trial, state=TrialState.PRUNED if record.state == "pruned" else TrialState.FAIL)


def distribution_of(draw: Draw) -> BaseDistribution:
    """Make the distribution of a draw; values of a list are JSON, so that lists can be drawn too.

    Example:
        >>> distribution_of(Draw("one_of", ([64], [64, 32])))
        CategoricalDistribution(choices=('[64]', '[64, 32]'))
    """
    if draw.kind == "one_of":
        return CategoricalDistribution([json.dumps(value) for value in draw.values])
    low, high = draw.values
    if draw.kind == "integer":
        return IntDistribution(low, high)
    return FloatDistribution(float(low), float(high), log=draw.kind == "log")


def _mixed(seed: int, index: int) -> int:
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])


def _open(path: Path) -> Study:
    with _without_announcements():
        try:
            return create_study(
                storage=JournalStorage(JournalFileBackend(str(path))),
                study_name=_NAME,
                direction="maximize",
                pruner=MedianPruner(
                    n_startup_trials=_TRIALS_BEFORE_PRUNING, n_warmup_steps=_EVALUATIONS_BEFORE_PRUNING
                ),
                load_if_exists=True,
            )
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise RunError(
                f"{path} must be the journal of a tuning, but cannot be read: {error}; remove its folder"
            ) from error


@contextmanager
def _without_announcements() -> Iterator[None]:
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)

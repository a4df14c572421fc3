"""Run what a study lacks: prepare shared data, train, test, and add a line for each run."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

from rankelastor.data.planted.write import PlantedLog
from rankelastor.errors import RankElastorError, SettingsError
from rankelastor.progress import ProgressListener
from rankelastor.studies.plan.grid import Plan, PlannedRun, plan_study
from rankelastor.studies.plan.matching import Match
from rankelastor.studies.plan.settings import MatchSettings
from rankelastor.studies.plan.study_file import Study, read_study
from rankelastor.studies.work.budget import Budget
from rankelastor.studies.work.jobs import carry_out_all
from rankelastor.studies.work.lines import RunLine, append_line
from rankelastor.studies.work.one_run import Order, Outcome
from rankelastor.studies.work.run_data import is_written, prepare_data
from rankelastor.studies.work.study_folder import StudyFolder
from rankelastor.studies.work.tuned import tune_recipes
from rankelastor.training.interruption import Interruption


class StudyListener(Protocol):
    """Hears of the runs of a study."""

    def on_begin(self, *, total: int, done: int) -> None:
        """Hear how many runs are asked for, and how many of them are done."""

    def on_run(self, line: RunLine, *, done: int, total: int, seconds_left: float | None) -> None:
        """Hear of a run that is over, and of the time that the rest is expected to take."""


class SilentListener:
    """A listener that does nothing."""

    def on_begin(self, *, total: int, done: int) -> None:
        """Do nothing."""

    def on_run(self, line: RunLine, *, done: int, total: int, seconds_left: float | None) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class StudyResults:
    """What a study has: its folder, the plan, the lines of its grid in the order of the plan, and what is missing.

    Attributes:
        folder: the folder of the study.
        plan: the grid.
        lines: the lines of the runs that were asked for.
        missing: keys of those that have not been run: the budget was used up.
    """

    folder: StudyFolder
    plan: Plan
    lines: tuple[RunLine, ...]
    missing: tuple[str, ...]


def run_study(
    study: Study | str | Path | Mapping[str, Any],
    *,
    folder: str | Path | None = None,
    only: str = "*",
    jobs: int = 1,
    again: bool = False,
    listener: StudyListener | None = None,
    progress: ProgressListener | None = None,
    interruption: Interruption | None = None,
) -> StudyResults:
    """Run what a study lacks, and return the lines of all its runs.

    A study that was stopped, or killed, goes on: runs that have a line are done, and one that was stopped goes on from
    its last checkpoint.

    Args:
        study: the study, its file, or its settings.
        folder: folder of the study; None selects ``study/<name>``.
        only: pattern of the keys of the runs that are wanted, such as ``rankmixer/*`` or ``*/seed=1``.
        jobs: number of runs at a time, each in a process.
        again: whether runs that failed are tried again.
        listener: hears of the runs.
        progress: receives the progress of preparation.
        interruption: hands requests to stop to a training in this process.

    Raises:
        SettingsError: the study is wrong, or no run matches ``only``.
        RunError: the folder holds another study, or what the study stands on has changed since its first run.
    """
    study = study if isinstance(study, Study) else read_study(study)
    home = StudyFolder(folder or Path("study") / study.name)
    plan = plan_study(study, home.path)
    with home.held():
        home.check_identity(plan.identity)
        if study.settings.tuning is not None:
            tuned = tune_recipes(plan, home, jobs=jobs, progress=progress, interruption=interruption)
            plan = plan_study(study, home.path, tuned=tuned)
        lines = home.check_lines(plan)
        have_lines = {line.key for line in lines}
        home.sweep({run.folder_name for run in plan.runs if run.key in have_lines})
        wanted = [run for run in plan.runs if fnmatchcase(run.key, only)]
        if not wanted:
            raise SettingsError(
                f"only must match a run of {study.source}, but {only!r} matches none; the first is {plan.runs[0].key}"
            )
        work = _Work(plan, home, lines, wanted, jobs=jobs, again=again, progress=progress)
        work.run(listener or SilentListener(), interruption)
        return work.results()


class _Work:
    """The runs of a study that are wanted: hands out orders, and adds lines."""

    def __init__(
        self,
        plan: Plan,
        home: StudyFolder,
        lines: Sequence[RunLine],
        wanted: Sequence[PlannedRun],
        *,
        jobs: int,
        again: bool,
        progress: ProgressListener | None,
    ) -> None:
        self._plan, self._home, self._progress = plan, home, progress
        self._lines = {line.key: line for line in lines}
        self._wanted = {run.key: run for run in wanted}
        is_done = {key for key, line in self._lines.items() if line.is_finished or not again}
        self._waiting = [run for run in wanted if run.key not in is_done]
        self._left = Counter(run.point["recipe"] for run in self._waiting)
        self._failed: list[tuple[str, Outcome]] = []
        self._jobs = jobs
        self._budget = Budget(plan.study.settings.budget.minutes, jobs)
        for line in lines:
            self._budget.add(line.recipe, line.seconds)

    def run(self, listener: StudyListener, interruption: Interruption | None) -> None:
        total = len(self._wanted)
        done = total - len(self._waiting)
        listener.on_begin(total=total, done=done)
        for key, outcome in carry_out_all(
            self, jobs=min(self._jobs, max(1, len(self._waiting))), interruption=interruption
        ):
            for each, what in [*self._failed, (key, outcome)]:
                done += 1
                line = self._add(each, what)
                left = self._budget.seconds_left(self._left)
                listener.on_run(line, done=done, total=total, seconds_left=left)
            self._failed.clear()
        for each, what in self._failed:
            done += 1
            listener.on_run(self._add(each, what), done=done, total=total, seconds_left=None)
        self._failed.clear()

    def next(self) -> tuple[str, Order] | None:
        """Hand out the next order, with its data prepared; a run whose data cannot be prepared has failed."""
        while self._waiting and not self._budget.is_used_up:
            run = self._waiting.pop(0)
            try:
                prepare_data(run, self._progress)
                return run.key, self._order(run)
            except RankElastorError as error:
                self._failed.append((run.key, {"status": "failed", "reason": str(error)}))
        return None

    def results(self) -> StudyResults:
        lines = tuple(self._lines[key] for key in self._wanted if key in self._lines)
        missing = tuple(key for key in self._wanted if key not in self._lines)
        return StudyResults(self._home, self._plan, lines, missing)

    def _order(self, run: PlannedRun) -> Order:
        settings = self._plan.study.settings
        folder = self._home.run(run.folder_name)
        match = None if settings.match is None else match_of(run, self._plan, settings.match)
        return Order.of(run.recipe, folder, rank_examples=settings.rank_examples, match=match)

    def _add(self, key: str, outcome: Outcome) -> RunLine:
        run = self._wanted[key]
        log = None if run.log_folder is None or not is_written(run.log_folder) else PlantedLog.open(run.log_folder)
        line = RunLine(
            study=self._plan.study.name,
            key=key,
            point=dict(run.point),
            seed=run.seed,
            changes=run.changes,
            log=None if run.log is None else run.log.model_dump(mode="json"),
            best_possible=None
            if log is None
            else {split: dataclasses.asdict(best) for split, best in log.best.items()},
            **outcome,
        )
        is_kept = self._plan.study.settings.keep_runs or not line.is_finished
        if not is_kept:
            self._home.set_aside(run.folder_name)
        append_line(self._home.results, line)
        self._lines[key] = line
        self._left[line.recipe] -= 1
        self._budget.add(line.recipe, line.seconds)
        if not is_kept:
            self._home.sweep({run.folder_name})
        return line


def match_of(run: PlannedRun, plan: Plan, settings: MatchSettings) -> Match | None:
    """Find what a run is matched with: the recipe of the reference at the same point; None if it is not adjusted."""
    recipe = run.point["recipe"]
    if recipe not in settings.adjust:
        return None
    point = {**run.point, "recipe": settings.parameters_of}
    reference = next(other.recipe for other in plan.runs if other.point == point and other.seed == run.seed)
    return Match(reference, settings.adjust[recipe], settings.within)

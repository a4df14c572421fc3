"""The spectrum of one model over several seeds: means over the runs, with intervals over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from rankelastor.errors import SettingsError
from rankelastor.spectrum.recording.merge import merge_matrices, merge_recordings
from rankelastor.spectrum.recording.statistics import Recording
from rankelastor.spectrum.runs.mixing_map import MixingMap
from rankelastor.spectrum.runs.run_spectrum import EmbeddingTable, RunSpectrum, SeedRun
from rankelastor.spectrum.runs.sample_means import merge_samples
from rankelastor.spectrum.seeds import SMALLEST_NUM_SEEDS
from rankelastor.spectrum.stages import stage_points
from rankelastor.spectrum.trajectory import Trajectory, trajectory
from rankelastor.spectrum.verdict import verdict


def over_seeds(name: str, runs: Sequence[RunSpectrum], *, differences: Sequence[str] = ()) -> RunSpectrum:
    """Merge the spectra of runs of one model with several seeds.

    Every mean is the mean over the runs' means, with a 95 % interval by Student's t; densities count the examples of
    all runs. What the runs do not share (a table of another size, a step that one run has not reached) is left out.

    Args:
        name: name of the group.
        runs: spectra of the runs, over the same split.
        differences: settings besides the seed in which the runs differ, which becomes a problem of the group.

    Raises:
        SettingsError: there are fewer than two runs, or their splits or stages differ.
    """
    first = runs[0]
    _check(name, runs)
    recording = merge_recordings([run.recording for run in runs])
    paths = _trajectories(name, first, recording) if all(run.trajectories for run in runs) else {}
    aucs = [run.test_auc for run in runs if run.test_auc is not None]
    return replace(
        first,
        name=name,
        folder="",
        num_examples=min(run.num_examples for run in runs),
        test_auc=fmean(aucs) if len(aucs) == len(runs) else None,
        recording=recording,
        trajectories=paths,
        verdicts={measure: verdict(path) for measure, path in paths.items()},
        tables=_tables(runs),
        mixings=_mixings(runs),
        samples=merge_samples([run.samples for run in runs]),
        problems=(*_problems(runs), *_say_differences(differences)),
        seed=None,
        num_steps=max((run.num_steps for run in runs if run.num_steps is not None), default=None),
        seeds=tuple(SeedRun(run.name, run.folder, run.seed, run.test_auc) for run in runs),
    )


def _check(name: str, runs: Sequence[RunSpectrum]) -> None:
    if len(runs) < SMALLEST_NUM_SEEDS:
        raise SettingsError(f"a group must have at least {SMALLEST_NUM_SEEDS} runs, but {name} has {len(runs)}")
    for what, values in (("split", [run.split for run in runs]), ("stages", [run.stages for run in runs])):
        if len(set(values)) > 1:
            raise SettingsError(f"runs of a group must have the same {what}, but those of {name} have {values}")


def _trajectories(name: str, first: RunSpectrum, recording: Recording) -> dict[str, Trajectory]:
    """Compute the trajectories from the merged recording, through the stages of the first run's."""
    points = stage_points(next(iter(first.trajectories.values())).stages)
    return {
        measure: trajectory(recording, points, measure=measure, name=name, matrix=first.matrix)
        for measure in first.trajectories
    }


def _tables(runs: Sequence[RunSpectrum]) -> tuple[EmbeddingTable, ...]:
    merged = []
    for table in runs[0].tables:
        same = [other for run in runs for other in run.tables if other.field == table.field]
        spectrum = merge_matrices([other.spectrum for other in same])
        if len(same) == len(runs) and spectrum is not None:
            merged.append(replace(table, spectrum=spectrum))
    return tuple(merged)


def _mixings(runs: Sequence[RunSpectrum]) -> tuple[MixingMap, ...]:
    merged = []
    for found in runs[0].mixings:
        same = [other for run in runs for other in run.mixings if other.point == found.point]
        spectrum = merge_matrices([other.spectrum for other in same])
        if len(same) == len(runs) and spectrum is not None:
            norms, of_weight = _mean_map([o.norms for o in same]), _mean_map([o.norms_of_weight for o in same])
            merged.append(replace(found, norms=norms, norms_of_weight=of_weight, spectrum=spectrum))
    return tuple(merged)


def _mean_map(maps: Sequence[tuple[tuple[float, ...], ...]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(fmean(cells) for cells in zip(*rows, strict=True)) for rows in zip(*maps, strict=True))


def _problems(runs: Sequence[RunSpectrum]) -> list[str]:
    return [f"{run.name}: {problem}" for run in runs for problem in run.problems]


def _say_differences(differences: Sequence[str]) -> list[str]:
    if not differences:
        return []
    return [
        f"These runs differ in more than the seed: {', '.join(differences)}. Their spread is not that of seeds alone"
    ]

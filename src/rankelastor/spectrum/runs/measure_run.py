"""Measure the spectrum of a run: load the best weights, record a split, measure embedding tables and mixings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from rankelastor.data.raw.inputs import Table
from rankelastor.errors import ON_ROWS, RunError, SettingsError
from rankelastor.execution.cores import borrowed_cores
from rankelastor.models.outline import point_shapes
from rankelastor.models.ranker import Ranker
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.runs.bundle_file.archive import is_bundle
from rankelastor.runs.bundle_file.unpacked import unpack_bundle
from rankelastor.runs.ensemble_folder import member_folders
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.schema import SplitName
from rankelastor.spectrum.measures import MEASURES
from rankelastor.spectrum.parameters import measure_embedding_tables
from rankelastor.spectrum.recording.problems import list_not_finite
from rankelastor.spectrum.recording.recorder import Recorder
from rankelastor.spectrum.recording.statistics import Recording
from rankelastor.spectrum.runs.measured_rows import MeasuredRows, prepared_rows, raw_rows
from rankelastor.spectrum.runs.mixing_map import MixingMap, mixing_map
from rankelastor.spectrum.runs.over_seeds import over_seeds
from rankelastor.spectrum.runs.run_spectrum import EmbeddingTable, RunSpectrum
from rankelastor.spectrum.runs.training_samples import read_samples
from rankelastor.spectrum.stages import StagePoints
from rankelastor.spectrum.trajectory import Trajectory, trajectory
from rankelastor.spectrum.verdict import verdict

DEFAULT_NUM_EXAMPLES = 8192
NUM_BINS = 240
"""Bins of the histograms. They are fine so that a report can merge them: most ranks are far below the largest."""
LARGEST_FLATTENED_DIM = 1024
"""Largest width of flattened tokens that is measured; the eigenvalues of wider ones take seconds per point."""
_WITHOUT_BLOCKS = (
    "The model has no blocks of mixing and FFN, so there is no trajectory and no verdict; its points and its embedding "
    "tables are measured"
)


def measure_run(
    folder: str | Path,
    *,
    split: SplitName = "test",
    num_examples: int = DEFAULT_NUM_EXAMPLES,
    name: str | None = None,
    more_points: Sequence[str] = (),
    prepared: str | Path | None = None,
    on: Table | None = None,
    progress: ProgressListener | None = None,
) -> RunSpectrum:
    """Measure the spectrum of a run's best weights over the first examples of a split of its prepared data.

    A bundle is measured over the example rows in it, unless ``prepared`` or ``on`` names others.

    A model without blocks has no trajectory and no verdict; its points and its embedding tables are measured. Of an
    ensemble each member is measured, and the means over members are given, see ``over_seeds``.

    Args:
        folder: the run folder, or a bundle.
        split: the split to record.
        num_examples: largest number of examples, taken from the beginning of the split.
        name: name of the run in figures and sentences; None takes the folder's name.
        more_points: dotted names of modules to record besides the stages; their outputs must be tokens.
        prepared: the prepared folder, if it was moved; see ``LoadedRun.dataset``.
        on: raw rows to measure instead of a split: the path of a file or folder, a stream of bytes, or a frame.
        progress: listener for the progress of the recording.

    Raises:
        RunError: the run folder has no weights, or cannot be used; a bundle holds no example rows.
        DataError: the prepared folder or the split is missing, or the split has no rows.
        SettingsError: ``num_examples`` is less than 2, a point does not exist (the message lists the known ones), or
            the members of an ensemble are different models.
    """
    if num_examples <= 1:
        raise SettingsError(f"the number of examples must be at least 2, but {num_examples} was given; try 8192")
    if is_bundle(folder):
        return _measure_bundle(
            Path(folder),
            split=split,
            num_examples=num_examples,
            name=name,
            more_points=more_points,
            prepared=prepared,
            on=on,
            progress=progress,
        )
    if members := member_folders(folder):
        measured = [
            measure_run(
                member,
                split=split,
                num_examples=num_examples,
                more_points=more_points,
                prepared=prepared,
                on=on,
                progress=progress,
            )
            for member in members
        ]
        return _over_members(Path(folder), measured, name=name)
    run = load_run(folder)
    with borrowed_cores(run.recipe.training.execution.threads):
        rows = (
            prepared_rows(run.dataset(prepared).split(split), most=num_examples)
            if on is None
            else raw_rows(run, on, most=num_examples)
        )
        return _measure(run, rows, name=name, more_points=more_points, progress=progress)


def _measure_bundle(
    path: Path,
    *,
    split: SplitName,
    num_examples: int,
    name: str | None,
    more_points: Sequence[str],
    prepared: str | Path | None,
    on: Table | None,
    progress: ProgressListener | None,
) -> RunSpectrum:
    """Measure the run in a bundle, over the example rows unless others are named."""
    bundle = unpack_bundle(path)
    try:
        has_own = on is None and prepared is None
        rows = bundle.example_rows if has_own else on
        if rows is None and has_own:
            raise RunError(
                f"a bundle must hold example rows to be measured, but {path} holds none; name rows with {ON_ROWS}",
                python=ON_ROWS,
            )
        measured = measure_run(
            bundle.run,
            split=split,
            num_examples=num_examples,
            name=name,
            more_points=more_points,
            prepared=prepared,
            on=rows,
            progress=progress,
        )
    finally:
        bundle.close()
    told = (f"Only the {measured.num_examples} example rows of the bundle are measured",) if has_own else ()
    return replace(measured, folder=str(path), problems=(*measured.problems, *told))


def _over_members(folder: Path, measured: Sequence[RunSpectrum], *, name: str | None) -> RunSpectrum:
    models = [spectrum.model for spectrum in measured]
    if len(set(models)) > 1:
        raise SettingsError(
            f"an ensemble must have members of one model to have a spectrum, but those of {folder} are "
            f"{', '.join(models)}; measure its members, {folder}/members/*"
        )
    result = RunFolder.open(folder)
    auc = result.result().metrics.get("test", {}).get("auc") if result.has_result else None
    merged = over_seeds(folder.resolve().name if name is None else name, measured)
    return replace(merged, folder=str(folder), test_auc=auc)


def _measure(
    run: LoadedRun,
    rows: MeasuredRows,
    *,
    name: str | None,
    more_points: Sequence[str],
    progress: ProgressListener | None,
) -> RunSpectrum:
    points = _points(run.ranker, more_points)
    recording = _record(run, rows, points, progress=progress or SilentProgress())
    name = run.folder.resolve().name if name is None else name
    paths, problems = _trajectories(recording, run.ranker, name=name)
    run_folder = RunFolder.open(run.folder)
    result = run_folder.result() if run_folder.has_result else None  # an interrupted run has no result
    return RunSpectrum(
        name=name,
        folder=str(run.folder),
        model=run.recipe.model.kind,
        split=rows.name,
        num_examples=rows.num_rows,
        test_auc=result.metrics.get("test", {}).get("auc") if result else None,
        dense_parameters=result.cost.dense_parameters if result else None,
        recording=recording,
        stages=tuple(run.ranker.points),
        trajectories=paths,
        verdicts={measure: verdict(path) for measure, path in paths.items()},
        tables=_tables(run),
        mixings=_mixings(run),
        samples=read_samples(run.folder),
        problems=(*list_not_finite(recording), *problems),
        seed=run.recipe.training.seed,
        every_steps=run.recipe.spectrum.every_steps,
        num_steps=result.steps if result else None,
    )


def _points(ranker: Ranker, more: Sequence[str]) -> dict[str, nn.Module]:
    modules = dict(ranker.named_modules())
    for name in more:
        if not name or name not in modules:
            known = [*ranker.points, *(module for module in modules if module)]
            raise SettingsError(f"a point must be one of {', '.join(known)}, but {name!r} was given")
    return {**ranker.points, **{name: modules[name] for name in more}}


@torch.inference_mode()
def _record(
    run: LoadedRun,
    rows: MeasuredRows,
    points: Mapping[str, nn.Module],
    *,
    progress: ProgressListener,
) -> Recording:
    if not points:
        return Recording(())
    device = next(run.ranker.parameters()).device
    shapes = point_shapes(run.recipe.model, run.encoder.schema)
    fits = all(math.prod(shape) <= LARGEST_FLATTENED_DIM for shape in shapes.values())
    recorder = Recorder(
        run.ranker, points, matrices=("example", "flattened") if fits else ("example",), num_bins=NUM_BINS
    )
    left = rows.num_rows
    progress.begin(f"recording {run.folder.name}", total=left, unit="examples")
    with recorder:
        for batch in rows.batches(min(left, run.recipe.training.evaluation_batch_size)):
            taken = next(batch.split(left))
            run.ranker(taken.to(device))
            progress.advance(taken.num_examples)
            left -= taken.num_examples
            if left == 0:
                break
    progress.end()
    return recorder.recording()


def _trajectories(recording: Recording, ranker: Ranker, *, name: str) -> tuple[dict[str, Trajectory], tuple[str, ...]]:
    """Compute the trajectory of each measure; if there are none, also return the reason."""
    if not any(point.endswith(".mixing") for point in ranker.points):
        return {}, (_WITHOUT_BLOCKS,)
    try:
        points = StagePoints.from_point_names(ranker.points)
        return {measure: trajectory(recording, points, measure=measure, name=name) for measure in MEASURES}, ()
    except SettingsError as error:
        return {}, (f"There is no trajectory and no verdict: {error}",)


def _tables(run: LoadedRun) -> tuple[EmbeddingTable, ...]:
    vocabularies, embedding = run.encoder.vocabularies, run.ranker.embedding
    ranges = zip(run.encoder.schema.with_ids, embedding.row_ranges, strict=True)
    # Hashed and bucketised fields have no vocabulary with counts.
    fields = {
        feature.name: rows
        for feature, rows in ranges
        if rows is not None and feature.shares is None and feature.name in vocabularies
    }
    measured = measure_embedding_tables(embedding.table.detach().cpu(), fields)
    return tuple(
        EmbeddingTable(
            field=name,
            num_known_values=len(vocabularies[name].values),
            num_occurrences=int(vocabularies[name].counts.sum()),
            spectrum=spectrum,
        )
        for name, spectrum in measured.items()
    )


def _mixings(run: LoadedRun) -> tuple[MixingMap, ...]:
    shapes = point_shapes(run.recipe.model, run.encoder.schema)
    maps = (
        mixing_map(module, point=point, token_dim=shapes[point][-1])
        for point, module in run.ranker.points.items()
        if point.endswith(".mixing")
    )
    return tuple(found for found in maps if found is not None)

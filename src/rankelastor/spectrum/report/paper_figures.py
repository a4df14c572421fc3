"""The report's main figures for papers as PNG, SVG and PDF, drawn with matplotlib (extra ``report``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rankelastor.spectrum.measures import find_measure
from rankelastor.spectrum.recording.statistics import MeasureStatistics
from rankelastor.spectrum.report.figure_style import DASHES, HEIGHT, STYLE, WIDTH, colour_of, plain, save_figure
from rankelastor.spectrum.report.stage_names import stage_label
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
from rankelastor.spectrum.trajectory import Trajectory

Runs = Sequence[RunSpectrum]
Draw = Callable[[Figure, Runs, str], bool]


def write_figures(runs: Runs, folder: Path, *, measure: str) -> tuple[Path, ...]:
    """Draw each figure in three formats; figures for which the runs have no data are left out."""
    written: list[Path] = []
    with rc_context(STYLE):
        for name, draw in _FIGURES.items():
            figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
            if draw(figure, runs, measure):
                written += save_figure(figure, folder / name)
    return tuple(written)


def _trajectory(figure: Figure, runs: Runs, measure: str) -> bool:
    paths = [(index, run.trajectories[measure]) for index, run in enumerate(runs) if measure in run.trajectories]
    if not paths:
        return False
    axes = figure.subplots()
    for index, path in paths:
        _draw_path(axes, index, path)
    for possible in sorted({path.max_possible_rank for _, path in paths}):
        axes.axhline(possible, color="0.5", linewidth=0.8, linestyle=(0, (5, 3)))
        axes.annotate(f"largest possible: {possible}", (0, possible), fontsize=7, color="0.4", va="bottom")
    longest = max((path for _, path in paths), key=lambda path: len(path.stages))
    axes.set_xticks(range(len(longest.stages)), [stage_label(stage.point) for stage in longest.stages])
    axes.set_ylabel(f"{find_measure(measure).title}, mean over\n{_counts(paths)} examples ({_split(runs)})")
    axes.set_title("each example's token matrix (T x D), by sublayer", fontsize=8, color="0.3")
    axes.legend()
    return True


def _draw_path(axes: Axes, index: int, path: Trajectory) -> None:
    places = range(len(path.stages))
    means = [stage.mean for stage in path.stages]
    bands = [stage.confidence_interval or (stage.mean, stage.mean) for stage in path.stages]
    low, high = [band[0] for band in bands], [band[1] for band in bands]
    axes.fill_between(places, low, high, color=colour_of(index), alpha=0.3, linewidth=0)
    axes.plot(
        places, means, DASHES[index % 4], color=colour_of(index), marker="o", markersize=3, label=plain(path.name)
    )


def _densities(figure: Figure, runs: Runs, measure: str) -> bool:
    points = list(dict.fromkeys(point.point for run in runs for point in run.recording.points))
    found = {
        (point.point, index): statistics
        for index, run in enumerate(runs)
        for point in run.recording.points
        if (statistics := point.examples.get(measure)) is not None and statistics.count
    }
    if not found:
        return False
    figure.set_size_inches(WIDTH, 0.6 + 0.65 * len(points))
    rows = figure.subplots(len(points), sharex=True, squeeze=False)[:, 0]
    for axes, point in zip(rows, points, strict=True):
        for index, run in enumerate(runs):
            if (point, index) in found:
                _draw_density(axes, index, found[point, index], label=run.name)
        axes.set_yticks([])
        axes.set_ylabel(stage_label(point), rotation=0, ha="right", va="center", fontsize=8)
    counts = " and ".join(dict.fromkeys(f"{statistics.count:,}" for statistics in found.values()))
    rows[-1].set_xlabel(
        f"{find_measure(measure).title} of each example's token matrix, {counts} examples ({_split(runs)})"
    )
    rows[0].legend(fontsize=7)
    return True


def _draw_density(axes: Axes, index: int, statistics: MeasureStatistics, *, label: str) -> None:
    histogram = statistics.histogram
    counts = np.array(histogram.counts)
    filled = np.flatnonzero(counts)
    kept = slice(filled[0], filled[-1] + 1)
    edges = histogram.edges[filled[0] : filled[-1] + 2]
    axes.stairs(
        np.array(histogram.density)[kept], edges, color=colour_of(index), fill=True, alpha=0.35, label=plain(label)
    )


def _embedding_tables(figure: Figure, runs: Runs, measure: str) -> bool:
    fields = list(dict.fromkeys(table.field for run in runs for table in run.tables))
    if not fields:
        return False
    figure.set_size_inches(WIDTH, 0.9 + len(fields) * (0.08 + 0.12 * len(runs)))
    axes, height = figure.subplots(), 0.8 / len(runs)
    for index, run in enumerate(runs):
        drawn = {
            fields.index(table.field) + height * (index + 0.5) - 0.4: rank / table.spectrum.max_possible_rank
            for table in run.tables
            if (rank := table.spectrum.measures[measure]) is not None
        }
        axes.barh(list(drawn), list(drawn.values()), height, color=colour_of(index), label=plain(run.name))
    axes.set_yticks(range(len(fields)), [plain(field) for field in fields])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"{find_measure(measure).title} of each embedding table over min(rows, e)")
    axes.legend(fontsize=7)
    return True


def _singular_values(figure: Figure, runs: Runs, _measure: str) -> bool:
    axes, drawn = figure.subplots(), False
    for index, run in enumerate(runs):
        last = run.recording[run.stages[-1]].singular_values if run.stages else None
        if last is not None:
            drawn = True
            places = range(1, len(last.mean) + 1)
            label = f"{plain(run.name)}, {stage_label(run.stages[-1])}"
            axes.semilogy(
                places, last.mean, DASHES[index % 4], color=colour_of(index), marker="o", markersize=3, label=label
            )
    if not drawn:
        return False
    axes.set_xlabel("singular value of each example's token matrix, by size")
    axes.set_ylabel(f"$s_i / s_1$, mean over examples ({_split(runs)})")
    axes.legend()
    return True


def _mixings(figure: Figure, runs: Runs, _measure: str) -> bool:
    maps = [(run.name, found) for run in runs for found in run.mixings]
    if not maps:
        return False
    columns = min(3, len(maps))
    rows = -(-len(maps) // columns)
    figure.set_size_inches(2.3 * columns + 0.6, 2.3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    most = max(max(map(max, found.norms)) for _, found in maps)
    for axes in grid[len(maps) :]:
        axes.axis("off")
    for axes, (name, found) in zip(grid, maps, strict=False):
        end = len(found.norms) + 0.5
        image = axes.imshow(found.norms, cmap="cividis", vmin=0, vmax=most, extent=(0.5, end, end, 0.5))
        axes.set_title(f"{plain(name)}, {stage_label(found.point)}", fontsize=7)
        axes.set_xlabel("from token", fontsize=7)
        axes.set_ylabel("to token", fontsize=7)
    bar = figure.colorbar(image, ax=list(grid), shrink=0.8)
    bar.set_label("Frobenius norm of\nthe D x D blocks of W + I", fontsize=7)
    return True


def _counts(paths: Sequence[tuple[int, Trajectory]]) -> str:
    return " and ".join(dict.fromkeys(f"{path.stages[-1].count:,}" for _, path in paths))


def _split(runs: Runs) -> str:
    return " and ".join(dict.fromkeys(run.split for run in runs))


_FIGURES: dict[str, Draw] = {
    "trajectory": _trajectory,
    "densities": _densities,
    "embedding_tables": _embedding_tables,
    "singular_values": _singular_values,
    "mixings": _mixings,
}

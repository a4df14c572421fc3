"""`rankelastor spectrum`: report on the rank of the representations in one run, or compare several runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from rankelastor.cli.arguments import MEASURE_HELP, AsJson, Measure, PreparedPath, RunPatterns, find_runs
from rankelastor.cli.console import console, error_console, print_json, print_words
from rankelastor.cli.evaluate import Split
from rankelastor.cli.fitted_table import FittedTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankelastor.spectrum.report.write import WrittenReport
    from rankelastor.spectrum.runs.run_spectrum import RunSpectrum


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("spectrum", epilog="Example: rankelastor spectrum demo/runs/rankmixer demo/runs/rankelastor")(spectrum)


def spectrum(  # noqa: PLR0917 - typer passes keyword arguments
    runs: RunPatterns,
    split: Annotated[Split, typer.Option("--split", help="The split to record.")] = Split.test,
    examples: Annotated[
        int, typer.Option("--examples", min=2, help="Number of examples to record, from the beginning of the split.")
    ] = 8192,
    out: Annotated[
        Path | None,
        typer.Option(
            "--to",
            "--out",
            metavar="DIR",
            help="The folder for the report.",
            show_default="RUN/spectrum; ./spectrum for several runs and for a bundle",
        ),
    ] = None,
    measure: Annotated[
        Measure,
        typer.Option("--measure", metavar="NAME", help=MEASURE_HELP),
    ] = Measure.stable_rank,
    group: Annotated[
        bool,
        typer.Option(
            "--group",
            help="Take runs whose recipes are equal but for the seed as one model: means and intervals over seeds.",
        ),
    ] = False,
    group_by: Annotated[
        list[str] | None,
        typer.Option(
            "--group-by",
            metavar="HOW",
            help="Group by 'recipe' (as --group), by 'name' (the folder's name without the number at its end), or by a "
            "pattern of names such as 'a-*', which is repeatable.",
        ),
    ] = None,
    points: Annotated[
        list[str] | None,
        typer.Option("--point", metavar="NAME", help="Also record this module of the model. Repeatable."),
    ] = None,
    prepared: PreparedPath = None,
    on: Annotated[
        Path | None,
        typer.Option("--on", metavar="FILE", help="Raw rows to record instead of a split: a file or a folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the rank of the representations after each sublayer of a trained model, and whether it collapses.

    Prints the trajectory and writes report.html (which works offline), spectrum.json, and figures/ for papers.
    """
    from rankelastor.cli.spectrum_summary import spectrum_summary
    from rankelastor.spectrum.report.write import write_report

    folders = find_runs(runs)
    by = tuple(group_by or (("recipe",) if group else ()))
    spectra = _measure(folders, by, split=split, examples=examples, points=points or (), prepared=prepared, on=on)
    written = write_report(spectra, out or _default_folder(folders), measure=measure)
    if as_json:
        print_json(spectrum_summary(spectra, written, measure=measure))
        return
    if any(run.recording.points for run in spectra):
        console.print(_title(spectra, measure), highlight=False, soft_wrap=True)
        console.print(_trajectory_table(spectra, measure=measure))
    _print_words(spectra, measure=measure)
    _print_paths(written)


def _measure(
    folders: Sequence[Path],
    by: tuple[str, ...],
    *,
    split: Split,
    examples: int,
    points: Sequence[str],
    prepared: Path | None,
    on: Path | None,
) -> list[RunSpectrum]:
    """Measure each run; with ``by`` merge the runs of each group."""
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.this_process import begin_to_work
    from rankelastor.spectrum.runs.groups import group_runs
    from rankelastor.spectrum.runs.measure_run import measure_run
    from rankelastor.spectrum.runs.over_seeds import over_seeds
    from rankelastor.spectrum.runs.run_names import distinct_names

    begin_to_work()
    names = dict(zip(folders, distinct_names(folders), strict=True))
    groups = group_runs(folders, by=by) if by else []
    with Bar() as bar:
        spectra = {
            run: measure_run(
                run,
                split=split.value,
                num_examples=examples,
                name=names[run],
                more_points=points,
                prepared=prepared,
                on=on,
                progress=bar,
            )
            for run in folders
        }
    if not by:
        return list(spectra.values())
    if all(len(each.folders) == 1 for each in groups):
        _warn_of_single_runs(by)
    return [
        spectra[each.folders[0]]
        if len(each.folders) == 1
        else over_seeds(each.name, [spectra[run] for run in each.folders], differences=each.differences)
        for each in groups
    ]


def _warn_of_single_runs(by: tuple[str, ...]) -> None:
    other = "name" if by == ("recipe",) else "recipe"
    error_console.print(
        f"warning: no two of these runs belong together by {' and '.join(by)}, so that each stands alone; "
        f"try --group-by {other}",
        style="yellow",
        markup=False,
        soft_wrap=True,
    )


def _title(spectra: Sequence[RunSpectrum], measure: str) -> str:
    from rankelastor.spectrum.measures import find_measure

    over = {"seeds" if run.seeds else "examples" for run in spectra}
    what = " or ".join(f"over {each}" for each in sorted(over, reverse=True))
    return f"{find_measure(measure).title} of each example's token matrix, mean with 95 % interval {what}"


def _default_folder(runs: Sequence[Path]) -> Path:
    return runs[0] / "spectrum" if len(runs) == 1 and runs[0].is_dir() else Path("spectrum")


def _trajectory_table(spectra: Sequence[RunSpectrum], *, measure: str) -> FittedTable:
    from rankelastor.spectrum.report.stage_names import stage_label

    table = FittedTable("stage", *[escape(run.name) for run in spectra])
    stages = dict.fromkeys(stage for run in spectra for stage in run.stages)
    for stage in stages:
        table.add_row(stage_label(stage), *[_stage(run, stage, measure) for run in spectra])
    table.add_row("possible", *[_possible(run) for run in spectra], style="dim")
    table.add_row("examples", *[f"{run.num_examples:,}" for run in spectra], style="dim")
    if any(run.seeds for run in spectra):
        table.add_row("seeds", *[str(max(len(run.seeds), 1)) for run in spectra], style="dim")
    return table


def _stage(run: RunSpectrum, stage: str, measure: str) -> str:
    """Format the mean and the half-width of its confidence interval; blank if there is no mean."""
    found = {point.point: point.examples.get(measure) for point in run.recording.points}.get(stage)
    if found is None or found.mean is None:
        return ""
    if found.confidence_interval is None:
        return f"{found.mean:.3f}"
    return f"{found.mean:.3f} ± {found.confidence_interval[1] - found.mean:.3f}"


def _possible(run: RunSpectrum) -> str:
    return str(max((point.max_possible_rank or 0 for point in run.recording.points), default=0) or "")


def _print_words(spectra: Sequence[RunSpectrum], *, measure: str) -> None:
    from rankelastor.spectrum.report.payload import comparisons

    for run in spectra:
        for problem in run.problems:
            error_console.print(f"warning: {run.name}: {problem}", style="yellow", markup=False, soft_wrap=True)
    sentences = [
        sentence for run in spectra if measure in run.verdicts for sentence in run.verdicts[measure].sentences[:2]
    ]
    sentences += comparisons(spectra, measure)
    console.print()
    for sentence in sentences:
        console.print(sentence, markup=False, highlight=False)


def _print_paths(written: WrittenReport) -> None:
    figures = f", figures: {written.figures[0].parent}" if written.figures else ""
    print_words(f"\nreport: {written.page}, data: {written.data}{figures}")

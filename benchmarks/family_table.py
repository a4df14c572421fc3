"""Train the whole family on Frappe and MovieLens-1M, and on a log with two labels, and write the tables.

Studies: ``frappe`` (ten models, four draws of settings on valid, three seeds of the best), ``shared`` (the rest, one
seed at shared settings), ``published`` (RankElastor and RankMixer beside a baseline in the manner of the published
code, same settings and seeds), ``history`` (mean pooling and target attention), ``tasks`` (shared bottom, MMoE, PLE,
ESMM), ``trees`` (LightGBM, if it is installed, and one-hot logistic regression on the same rows).

Each training is a process of one thread and one line of WORK/results.jsonl; a call goes on where another one stopped.

Example:
    python -m benchmarks.family_table run --work runs/family --jobs 2
    python -m benchmarks.family_table table --work runs/family
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from benchmarks.family.plan import Job, first_jobs, more_seeds
from benchmarks.family.report import write_tables
from benchmarks.family.worker import prepare_data, run_job

from rankelastor.recipes.load import parse_overrides
from rankelastor.runs.environment import describe_environment

STUDIES = ("frappe", "shared", "published", "history", "tasks", "trees")
app = typer.Typer(add_completion=False, help=__doc__)
Work = Annotated[Path, typer.Option(help="Folder of prepared data, runs, scores and results.jsonl.")]


@app.command()
def run(  # noqa: PLR0917 - options of a command line
    work: Work = Path("runs/family"),
    studies: Annotated[str, typer.Option(help="Studies, with commas between.")] = ",".join(STUDIES),
    jobs: Annotated[int, typer.Option(help="Number of trainings side by side, each of one thread.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seconds: Annotated[float, typer.Option(help="Begin no training after so many seconds.")] = float("inf"),
    changes: Annotated[list[str] | None, typer.Option("--set", help="PATH=VALUE changes every recipe.")] = None,
) -> None:
    """Run the trainings that have no line of results yet."""
    chosen = studies.split(",")
    if unknown := set(chosen).difference(STUDIES):
        raise typer.BadParameter(f"studies must be among {', '.join(STUDIES)}, but {', '.join(unknown)} was given")
    if "trees" in chosen and importlib.util.find_spec("lightgbm") is None:
        raise typer.BadParameter("the study trees needs lightgbm; pip install it, or leave trees out of --studies")
    own: dict[str, Any] = {"training.device": device, **parse_overrides(changes or [])}
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    work.mkdir(parents=True, exist_ok=True)
    prepare_data(chosen, work)
    deadline = time.monotonic() + seconds
    _run_all(first_jobs(chosen), work, own, jobs=jobs, deadline=deadline)
    further = [job for job in more_seeds(read_results(work)) if job.study in chosen]
    _run_all(further, work, own, jobs=jobs, deadline=deadline)


@app.command()
def table(work: Work = Path("runs/family")) -> None:
    """Print the tables of what has been run."""
    typer.echo(write_tables(read_results(work), work))


def read_results(work: Path) -> list[dict[str, Any]]:
    """Read the lines of results; of a training that was run twice the last."""
    path = work / "results.jsonl"
    if not path.is_file():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return list({line["key"]: line for line in lines}.values())


def append_result(work: Path, line: Mapping[str, Any]) -> None:
    """Add a line to the results."""
    with (work / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def describe_machine() -> dict[str, Any]:
    """Name the processor and the commit."""
    environment = describe_environment(torch.device("cpu"))
    return {name: environment[name] for name in ("processor", "commit")}


def _run_all(wanted: Iterable[Job], work: Path, own: dict[str, Any], *, jobs: int, deadline: float) -> None:
    done = {line["key"] for line in read_results(work)}
    left = [job for job in wanted if job.key not in done]
    machine = {"machine": describe_machine() | {"device": own["training.device"], "jobs": jobs}}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        futures = {pool.submit(_before, deadline, job, work, own): job for job in left}
        for number, future in enumerate(as_completed(futures), 1):
            _note(future, futures[future], work, machine, place=f"{number} of {len(left)}")


def _before(deadline: float, job: Job, work: Path, own: dict[str, Any]) -> dict[str, Any] | None:
    return run_job(job, work, own) if time.monotonic() < deadline else None


def _note(future: Future[dict[str, Any] | None], job: Job, work: Path, machine: dict[str, Any], *, place: str) -> None:
    """Append the line of a finished training, or say why there is none."""
    try:
        line = future.result()
    except Exception as error:  # noqa: BLE001 - one training that fails must not stop the others
        typer.echo(f"{place}: {job.key} failed: {type(error).__name__}: {error}", err=True)
        return
    if line is None:
        return
    append_result(work, line | machine)
    auc, test = line["valid"]["auc"], line["test"]["auc"]
    typer.echo(f"{place}: {job.key}: valid AUC {auc:.6f}, test AUC {test:.6f}, {line['seconds']:.0f} s")


if __name__ == "__main__":
    app()

"""Measure requests/s and times of the service, beside a plain one of the published model, and at twice its load.

``python -m benchmarks.serving`` makes a bundle like Criteo's model (e = 10), gives the service one core and the clients
another, and takes about ``40 * --seconds`` and a minute.
"""

from __future__ import annotations

import asyncio
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import torch
import typer
from benchmarks.serving.bodies import Ranking, ranking
from benchmarks.serving.criteo_bundle import FOLDER, criteo_bundle
from benchmarks.serving.in_process import in_process_ms
from benchmarks.serving.load import Case, closed_loop, open_loop
from benchmarks.serving.plain_service import PlainRanker
from benchmarks.serving.processes import CLIENT_CORE, SERVER_CORE, free_port, on_core, own, plain, serving
from benchmarks.serving.report import CASE_HEAD, best, case_line, goals, markdown, page_with

from rankelastor.models.mixer import MixerSettings
from rankelastor.service.model import ServedModel

_WARM_UP_SECONDS = 0.5
_OVERLOAD_SECONDS = 8.0  # batches of many candidates are answered at once, so that fewer seconds tell little


def measured(name: str, port: int, asked: Ranking, *, clients: list[int], seconds: float) -> list[Case]:
    """Measure a service that runs, with each number of clients."""
    cases = [Case(name, len(asked.candidates), count) for count in (1, *clients)]
    for index, case in enumerate(cases):
        asyncio.run(closed_loop(case, port, asked.body, seconds=seconds if index else _WARM_UP_SECONDS))
        if index:
            typer.echo(case_line(case))
    return cases[1:]


def overloaded(port: int, asked: Ranking, cases: list[Case], *, seconds: float) -> Case:
    """Send twice the requests/s that our service reached."""
    candidates = len(asked.candidates)
    case = Case("ours", candidates, rate=2 * best(cases, "ours", candidates))
    asyncio.run(open_loop(case, port, asked.body, seconds=seconds))
    typer.echo(case_line(case))
    return case


def main(  # noqa: PLR0917 - typer passes keyword arguments
    bundle: Annotated[Path | None, typer.Option(help="A bundle with example rows; else one like Criteo's.")] = None,
    folder: Annotated[Path, typer.Option(help="Where that bundle is made and kept.")] = FOLDER,
    seconds: Annotated[float, typer.Option(help="Seconds of each case.")] = 5.0,
    candidates: Annotated[str, typer.Option(help="Numbers of candidates.")] = "1,50,500",
    clients: Annotated[str, typer.Option(help="Numbers of clients.")] = "1,4,16,64",
    pinned: Annotated[bool, typer.Option(help="Give the service one core, and the clients another.")] = True,  # noqa: FBT002
    report: Annotated[Path | None, typer.Option(help="Write everything as JSON.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write the tables into this page of the documentation.")] = None,
    where: Annotated[str, typer.Option(help="The machine and the day in words, for the page.")] = "",
) -> None:
    """Measure everything and print tables."""
    path = bundle or criteo_bundle(folder)
    torch.set_num_threads(1)
    model = ServedModel(path)
    ranker = PlainRanker(model.run) if isinstance(model.run.recipe.model, MixerSettings) else None
    asked = {int(count): ranking(model, int(count)) for count in candidates.split(",")}
    with on_core(SERVER_CORE if pinned else None):
        alone = {count: in_process_ms(model, ranker, each) for count, each in asked.items()}
    typer.echo("encoded and scored in one process, ms")
    for count, times in alone.items():
        typer.echo(f"{count:>10}  " + "  ".join(f"{name} {value:.2f}" for name, value in times.items()))
    typer.echo(CASE_HEAD)
    numbers = [int(count) for count in clients.split(",")]
    cases: list[Case] = []
    over: list[Case] = []
    services = {"ours": own} | ({} if ranker is None else {"plain": plain})
    for name, command in services.items():
        port = free_port()
        with serving(command(port, path), port, pinned=pinned), on_core(CLIENT_CORE if pinned else None):
            for each in asked.values():
                cases += measured(name, port, each, clients=numbers, seconds=seconds)
                if name == "ours":
                    over.append(overloaded(port, each, cases, seconds=max(seconds, _OVERLOAD_SECONDS)))
    judged = goals(cases, over, alone)
    for found, wanted, met in judged:
        typer.echo(f"{'met    ' if met else 'not met'}  {found}; {wanted}")
    if page is not None:
        page.write_text(page_with(page.read_text(encoding="utf-8"), markdown(cases, over, judged, where=where)))
    if report is not None:
        values = {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "pinned": pinned,
            "in_process_ms": {str(count): times for count, times in alone.items()},
            "cases": [case.as_dict() for case in cases],
            "overload": [case.as_dict() for case in over],
            "goals": [{"found": found, "wanted": wanted, "met": met} for found, wanted, met in judged],
        }
        report.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)

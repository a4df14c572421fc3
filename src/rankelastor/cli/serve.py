"""`rankelastor serve`: a web service that scores and ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.arguments import find_run
from rankelastor.cli.console import print_words


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("serve", epilog="Example: rankelastor serve model.rank --port 8000")(serve)


def serve(  # noqa: PLR0917 - typer passes keyword arguments
    place: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle, or a run folder.")],
    host: Annotated[str, typer.Option("--host", help="The address to bind; 0.0.0.0 lets other machines in.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port.")] = 8000,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes, each with a model of its own.")] = 1,
    watch: Annotated[
        bool, typer.Option("--watch", help="Verify a new bundle at the same path, and take it without a gap.")
    ] = False,
    body_bytes: Annotated[int, typer.Option("--body-bytes", min=1, help="Largest body; beyond it 413.")] = 8 << 20,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Most rows of a request; beyond it 413.")] = 10_000,
    candidates: Annotated[
        int, typer.Option("--candidates", min=1, help="Most candidates of a request; beyond it 413.")
    ] = 10_000,
    queue_rows: Annotated[
        int, typer.Option("--queue-rows", min=1, help="Most rows that wait in a worker; beyond it 429.")
    ] = 20_000,
    queue_requests: Annotated[
        int, typer.Option("--queue-requests", min=1, help="Most requests that wait in a worker; beyond it 429.")
    ] = 512,
    queue_bytes: Annotated[
        int, typer.Option("--queue-bytes", min=1, help="Most bytes of bodies that a worker holds; beyond it 429.")
    ] = 256 << 20,
    batch_rows: Annotated[int, typer.Option("--batch-rows", min=1, help="Most rows that are scored at a time.")] = 4096,
    batch_wait_ms: Annotated[
        float,
        typer.Option(
            "--batch-wait-ms", min=0, help="How long a batch waits for as many requests as the last one held."
        ),
    ] = 2.0,
    seconds: Annotated[
        float,
        typer.Option("--seconds", min=0.001, help="Longest wait for a body (then 408) and for scores (then 503)."),
    ] = 10.0,
    log_requests: Annotated[
        bool, typer.Option("--log-requests", help="Log method, path and status of requests; never what they hold.")
    ] = False,
) -> None:
    """Answer requests over HTTP: probabilities of rows, an order of candidates, the card, health and metrics.

    A page at / tries rows. Nothing of a request is logged. The environment variable RANKELASTOR_TOKEN sets a bearer
    token that guards every path but health and the pages at / and /docs, which hold nothing of the model.
    """
    from rankelastor.cli.this_process import begin_to_work
    from rankelastor.service.limits import Limits
    from rankelastor.service.run import ServiceSettings, serve

    begin_to_work()
    limits = Limits(
        body_bytes=body_bytes,
        rows=rows,
        candidates=candidates,
        queue_rows=queue_rows,
        queue_requests=queue_requests,
        queue_bytes=queue_bytes,
        batch_rows=batch_rows,
        batch_wait_ms=batch_wait_ms,
        seconds=seconds,
    )
    serve(
        ServiceSettings(
            find_run(place),
            host=host,
            port=port,
            workers=workers,
            watch=watch,
            limits=limits,
            log_requests=log_requests,
        ),
        on_start=print_words,
    )

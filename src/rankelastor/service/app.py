"""The web application: its paths, typed by the schema of the current model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

import rankelastor
from rankelastor.execution.cores import borrowed_cores
from rankelastor.service.answers import Service
from rankelastor.service.front import Front
from rankelastor.service.limits import Limits
from rankelastor.service.pages import add_pages

_SCHEMAS = "#/components/schemas/{model}"
_SUMMARIES = {
    "/v1/score": "Compute the probability of each row",
    "/v1/rank": "Order the candidates of one context by probability",
    "/v1/explain": "Say what each field of one row contributed to its logit",
}
_RANK_WORDS = "Each column stands in the context, or in every candidate. What reads the context alone is encoded once."
_ERRORS = {
    "401": "The token is missing or wrong.",
    "408": "The body did not arrive in time.",
    "413": "Too large: the body, or the number of rows or candidates.",
    "421": "The service has no token and answers requests to localhost alone.",
    "422": "Something in the body is wrong; the message names the place.",
    "429": "The queue is full; Retry-After says when to try again.",
    "503": "The scores would take too long; Retry-After says when to try again.",
}


def make_app(
    place: str | Path,
    *,
    limits: Limits | None = None,
    watch: bool = False,
    token: str | None = None,
    only_local: bool = False,
) -> Front:
    """Make the web application.

    Args:
        place: the run folder or the bundle.
        limits: limits of requests and of the queue; None takes the defaults.
        watch: whether a new bundle at the path takes the place of the old one.
        token: what requests must show as a bearer token, but for health and for pages that hold nothing of the model;
            None lets everyone in.
        only_local: whether requests must be addressed to this machine, where there is no token.

    Raises:
        RunError: the run or the bundle cannot be used.
    """
    service = Service(place, limits=limits or Limits())
    lifespan = _lifespan_of(service, watch=watch)
    app = FastAPI(
        title="rankelastor", version=rankelastor.__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.add_exception_handler(HTTPException, _unknown)
    _add_facts(app, service)
    add_pages(app)
    app.openapi = lambda: _openapi(app, service)  # type: ignore[method-assign]
    return Front(app, service=service, token=token, only_local=only_local)


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    """Answer a path or a method that there is not, as all other errors are answered."""
    assert isinstance(error, HTTPException), "the handler of these"
    words = f"{request.method} {request.url.path} must be a request of this service, but is none; see /docs"
    return JSONResponse({"error": words}, error.status_code, error.headers)


def _lifespan_of(service: Service, *, watch: bool) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        watching = asyncio.create_task(service.keep_fresh()) if watch else None
        threads = service.store.current.run.recipe.training.execution.threads
        try:
            with borrowed_cores(threads):
                yield
        finally:
            try:
                if watching is not None:
                    watching.cancel()
                    with suppress(asyncio.CancelledError):
                        await watching
            finally:
                service.close()

    return lifespan


def _add_facts(app: FastAPI, service: Service) -> None:
    @app.get("/v1/model", summary="Describe the model, with its card, and say why a new one was refused")
    async def model() -> dict[str, Any]:
        return service.store.current.facts.description | {"problem": service.store.problem}

    @app.get("/v1/fields", summary="List the columns with their most frequent values, and an example row")
    async def fields() -> dict[str, Any]:
        return service.store.current.facts.fields

    @app.get("/healthz", summary="Tell whether the process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Tell whether the model is loaded, and whether a new one was refused")
    async def readyz() -> dict[str, Any]:
        return {"status": "ready", "new_bundle_refused": service.store.problem is not None}

    @app.get("/metrics", summary="Counts and times for Prometheus")
    async def metrics() -> PlainTextResponse:
        return PlainTextResponse(service.telemetry.text(queue_rows=service.queue.num_rows))


def _openapi(app: FastAPI, service: Service) -> dict[str, Any]:
    """Describe the paths with the types of the current model's fields."""
    described = get_openapi(title=app.title, version=app.version, routes=app.routes)
    types = service.store.current.requests
    adapters = {"/v1/score": types.score_adapter, "/v1/rank": types.rank_adapter, "/v1/explain": types.score_adapter}
    paths = {}
    for path, adapter in adapters.items():
        schema = adapter.json_schema(ref_template=_SCHEMAS)
        words = {"description": _RANK_WORDS} if path == "/v1/rank" else {}
        described.setdefault("components", {}).setdefault("schemas", {}).update(schema.pop("$defs", {}))
        answers = {"200": "The answer."} | _ERRORS
        paths[path] = {
            "post": {
                "summary": _SUMMARIES[path],
                **words,
                "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
                "responses": {status: {"description": words} for status, words in answers.items()},
            }
        }
    described["paths"] = paths | described["paths"]
    return described

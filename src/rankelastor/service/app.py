"""The web application: its paths, typed by the schema of the current model."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse

import rankelastor
from rankelastor.errors import RankElastorError
from rankelastor.execution.cores import borrowed_cores
from rankelastor.service.batcher import Batcher
from rankelastor.service.limits import Limits
from rankelastor.service.model import Encoded, ServedModel
from rankelastor.service.page import page_of
from rankelastor.service.refusals import Refusal
from rankelastor.service.store import ModelStore
from rankelastor.service.telemetry import Telemetry

_logger = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_HEALTH = frozenset({"/healthz", "/readyz"})
_KNOWN_PATHS = frozenset({"/v1/score", "/v1/rank", "/v1/explain", "/v1/model", "/healthz", "/readyz", "/metrics", "/"})
_SCHEMAS = "#/components/schemas/{model}"


class Service:
    """The parts that answer requests.

    Args:
        place: the run folder or the bundle.
        limits: limits of requests and of the queue.
        watch: whether a new bundle at the path takes the place of the old one.
        token: what requests must show as a bearer token, but for health; None lets everyone in.
    """

    def __init__(self, place: str | Path, *, limits: Limits, watch: bool, token: str | None) -> None:
        self.limits, self.watch, self.token = limits, watch, token
        self.telemetry = Telemetry()
        self.store = ModelStore(place, self.telemetry)
        self.batcher = Batcher(limits, self.telemetry)

    async def score(self, body: bytes) -> dict[str, Any]:
        """Answer ``/v1/score``."""
        model = self.store.current
        rows, name_unseen = model.requests.read_score(body)
        self._require_count(len(rows), self.limits.rows, "rows")
        probability, encoded = await self._scored(model, len(rows), lambda: model.encode(rows, name_unseen=name_unseen))
        return _answer(model, {"probabilities": _plain(probability)}, encoded)

    async def rank(self, body: bytes) -> dict[str, Any]:
        """Answer ``/v1/rank``: candidates in order of the first task's probability, ties in the order given."""
        model = self.store.current
        context, candidates, name_unseen = model.requests.read_rank(body)
        self._require_count(len(candidates), self.limits.candidates, "candidates")
        probability, encoded = await self._scored(
            model,
            len(candidates),
            lambda: model.encode_candidates(context, candidates, name_unseen=name_unseen),
        )
        order = (-probability[:, 0]).argsort(kind="stable")
        return _answer(
            model, {"order": order.tolist(), "probabilities": _plain(probability[order])}, encoded, order=order.tolist()
        )

    async def explain(self, body: bytes) -> dict[str, Any]:
        """Answer ``/v1/explain``: the probability of one row, and what each column contributed to its logit."""
        model = self.store.current
        rows, _ = model.requests.read_score(body)
        self._require_count(len(rows), 1, "rows")
        probability, encoded = await self._scored(model, 1, lambda: model.encode(rows, name_unseen=True))
        found = await self.batcher.explain(lambda: model.explain(rows[0]))
        told = {"probabilities": _plain(probability), "contributions": [each.as_dict() for each in found]}
        return _answer(model, told, encoded)

    async def _scored(self, model: ServedModel, num_rows: int, encode: Callable[[], Encoded]) -> tuple[Any, Encoded]:
        self.batcher.reserve(num_rows)
        try:
            async with asyncio.timeout(self.limits.seconds):
                encoded = await self.batcher.encoded(encode)
                return await self.batcher.score(model, encoded.batch), encoded
        except TimeoutError:
            raise Refusal(
                503, f"the scores took longer than {self.limits.seconds:g} s; try again later, with fewer rows"
            ) from None
        finally:
            self.batcher.release(num_rows)

    def _require_count(self, count: int, most: int, what: str) -> None:
        if count > most:
            raise Refusal(413, f"a request must hold at most {most:,} {what}, but holds {count:,}; send several")

    async def keep_fresh(self) -> None:
        """Look for a new bundle again and again, in a thread that scores nothing."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(self.store.refresh)


def make_app(
    place: str | Path, *, limits: Limits | None = None, watch: bool = False, token: str | None = None
) -> FastAPI:
    """Make the web application.

    Args:
        place: the run folder or the bundle.
        limits: limits of requests and of the queue; None takes the defaults.
        watch: whether a new bundle at the path takes the place of the old one.
        token: what requests must show as a bearer token, but for health; None lets everyone in.

    Raises:
        RunError: the run or the bundle cannot be used.
    """
    service = Service(place, limits=limits or Limits(), watch=watch, token=token)
    app = FastAPI(title="rankelastor", version=rankelastor.__version__, lifespan=_lifespan_of(service))
    app.state.service = service
    app.middleware("http")(_guard_of(service))
    _add_paths(app, service)
    _add_pages(app, service)
    app.openapi = lambda: _openapi(app, service)  # type: ignore[method-assign]
    return app


def _lifespan_of(service: Service) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        watching = asyncio.create_task(service.keep_fresh()) if service.watch else None
        threads = service.store.current.run.recipe.training.execution.threads
        try:
            with borrowed_cores(threads):
                yield
        finally:
            if watching is not None:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
            service.batcher.close()

    return lifespan


def _guard_of(service: Service) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        began, path = time.perf_counter(), request.url.path
        service.batcher.num_open += 1
        try:
            _require_token(request, service.token)
            answer = await call_next(request)
        except Refusal as refusal:
            answer = _refused(refusal)
        finally:
            service.batcher.num_open -= 1
        known = path if path in _KNOWN_PATHS else "other"
        service.telemetry.answered(known, answer.status_code, time.perf_counter() - began)
        return answer

    return guard


def _require_token(request: Request, token: str | None) -> None:
    if token is None or request.url.path in _HEALTH:
        return
    given = request.headers.get("authorization", "")
    scheme, _, shown = given.partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), token.encode()):
        raise Refusal(401, "this service wants a bearer token; send the header Authorization: Bearer TOKEN")


async def _body(request: Request, most: int) -> bytes:
    """Read the body of a request, and no more of it than is allowed."""
    declared = request.headers.get("content-length", "")
    too_large = Refusal(413, f"a body must have at most {most:,} bytes; send fewer rows at a time")
    if declared.isdecimal() and int(declared) > most:
        raise too_large
    parts, num_bytes = [], 0
    async for part in request.stream():
        num_bytes += len(part)
        if num_bytes > most:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def _add_paths(app: FastAPI, service: Service) -> None:
    def answering(answer: Callable[[bytes], Awaitable[dict[str, Any]]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return JSONResponse(await answer(await _body(request, service.limits.body_bytes)))
            except Refusal as refusal:
                return _refused(refusal)
            except RankElastorError as error:
                return _refused(Refusal(422, str(error)))

        return endpoint

    for path, answer, summary in (
        ("/v1/score", service.score, "Compute the probability of each row"),
        ("/v1/rank", service.rank, "Order the candidates of one context by probability"),
        ("/v1/explain", service.explain, "Say what each field of one row contributed to its logit"),
    ):
        app.add_api_route(path, answering(answer), methods=["POST"], summary=summary, response_model=None)


def _add_pages(app: FastAPI, service: Service) -> None:
    @app.get("/v1/model", summary="Describe the model, with its card")
    async def model() -> dict[str, Any]:
        return service.store.current.description

    @app.get("/healthz", summary="Tell whether the process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Tell whether the model is loaded, and why a new one was refused")
    async def readyz() -> dict[str, Any]:
        return {"status": "ready", "problem": service.store.problem}

    @app.get("/metrics", summary="Counts and times for Prometheus")
    async def metrics() -> PlainTextResponse:
        return PlainTextResponse(service.telemetry.text(queue_rows=service.batcher.num_rows))

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(page_of(service.store.current))


def _openapi(app: FastAPI, service: Service) -> dict[str, Any]:
    """Describe the paths with the types of the current model's fields."""
    described = get_openapi(title=app.title, version=app.version, routes=app.routes)
    types = service.store.current.requests
    adapters = {"/v1/score": types.score_adapter, "/v1/rank": types.rank_adapter, "/v1/explain": types.score_adapter}
    for path, adapter in adapters.items():
        schema = adapter.json_schema(ref_template=_SCHEMAS)
        described.setdefault("components", {}).setdefault("schemas", {}).update(schema.pop("$defs", {}))
        operation = described["paths"][path]["post"]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _answer(
    model: ServedModel, told: dict[str, Any], encoded: Encoded, *, order: list[int] | None = None
) -> dict[str, Any]:
    answer = {"tasks": list(model.tasks), **told}
    if encoded.unseen is not None:
        answer["unseen"] = encoded.unseen if order is None else [encoded.unseen[index] for index in order]
    return answer


def _plain(probability: Any) -> list[Any]:
    """One number a row, or a list of one a task."""
    values = probability[:, 0] if probability.shape[1] == 1 else probability
    plain: list[Any] = values.tolist()
    return plain


def _refused(refusal: Refusal) -> JSONResponse:
    return JSONResponse({"error": refusal.message}, status_code=refusal.status, headers=refusal.headers)

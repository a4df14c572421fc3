"""The door of the service: who may ask, whether there is room, and the paths that take a body.

It stands before the web framework, so that a refusal costs next to nothing and a body that is refused is never read.
"""

from __future__ import annotations

import hmac
import json
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from rankelastor.errors import RankElastorError
from rankelastor.service.answers import Answer, Service
from rankelastor.service.refusals import Refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_logger = logging.getLogger(__name__)
HEALTH = frozenset({"/healthz", "/readyz"})
SHELLS = frozenset({"/", "/docs", "/session.js"})
"""Pages that hold nothing of the model: what they show they ask for, with the token."""
_OTHERS = frozenset({"/v1/model", "/v1/fields", "/openapi.json", "/metrics"})


class Front:
    """An ASGI application that answers the paths which take a body, and leaves the others to another application.

    Args:
        app: answers the other paths.
        service: answers bodies.
        token: what requests must show as a bearer token, but for health and for pages without data; None lets
            everyone in.
    """

    def __init__(self, app: App, *, service: Service, token: str | None) -> None:
        self._app, self.service = app, service
        self._token = None if token is None else token.encode()
        self._paths = service.paths
        self._known = HEALTH | SHELLS | _OTHERS | self._paths.keys()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # the server leaves the body out
            scope = {**scope, "method": "GET"}
        began, path, statuses = time.perf_counter(), scope["path"], [500]

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses[0] = message["status"]
            await send(message)

        try:
            await self._answer(path, scope, receive, noted)
        finally:
            known = path if path in self._known else "other"
            self.service.telemetry.answered(known, statuses[0], time.perf_counter() - began)

    async def _answer(self, path: str, scope: Message, receive: Receive, send: Send) -> None:
        try:
            self._require_token(path, scope)
            answer = self._paths.get(path)
            if answer is None:
                await self._app(scope, receive, send)
                return
            content = await self._computed(answer, scope, receive)
        except Refusal as refusal:
            await _send(send, refusal.status, {"error": refusal.message}, refusal.headers)
        except RankElastorError as error:
            await _send(send, 422, {"error": str(error)})
        except Exception as error:  # noqa: BLE001 - a mistake of this program; its words may hold what was asked
            lines = "".join(traceback.format_tb(error.__traceback__))
            _logger.error("a request to %s failed with %s:\n%s", path, type(error).__name__, lines)  # noqa: TRY400
            await _send(send, 500, {"error": "the service made a mistake; its log says where"})
        else:
            await _send(send, 200, content)

    async def _computed(self, answer: Answer, scope: Message, receive: Receive) -> dict[str, Any]:
        if scope["method"] != "POST":
            raise Refusal(405, f"{scope['path']} must be asked with POST, but {scope['method']} was given; see /docs")
        most = self.service.limits.body_bytes
        declared = _header(scope, b"content-length").decode("latin-1")
        num_bytes = int(declared) if declared.isdecimal() else 0
        if num_bytes > most:
            raise _too_large(most)
        with self.service.queue.place(num_bytes) as place:
            return await answer(await _read(receive, most), place)

    def _require_token(self, path: str, scope: Message) -> None:
        if self._token is None or path in HEALTH or path in SHELLS:
            return
        scheme, _, shown = _header(scope, b"authorization").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(shown.strip(), self._token):
            raise Refusal(401, "this service wants a bearer token; send the header Authorization: Bearer TOKEN")


def _header(scope: Message, wanted: bytes) -> bytes:
    return next((value for name, value in scope["headers"] if name == wanted), b"")


async def _read(receive: Receive, most: int) -> bytes:
    """Read the body of a request, and no more of it than is allowed."""
    parts, num_bytes, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(422, "a body must be whole, but the connection ended")
        part, more = message.get("body", b""), message.get("more_body", False)
        num_bytes += len(part)
        if num_bytes > most:
            raise _too_large(most)
        parts.append(part)
    return b"".join(parts)


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"a body must have at most {most:,} bytes; send fewer rows at a time")


async def _send(send: Send, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    named = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    pairs = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})

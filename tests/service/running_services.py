"""A service in a thread of the test's process, on a free port of this machine."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from rankelastor.service.app import make_app
from rankelastor.service.limits import Limits
from rankelastor.service.run import ServiceSettings, server_options


class Client:
    """Sends requests to a port of this machine."""

    def __init__(self, port: int, server: uvicorn.Server) -> None:
        self.port, self.server = port, server

    def call(
        self, path: str, body: object = None, *, raw: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send a request, a POST if it has a body; return status and answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        connection.request("GET" if content is None else "POST", path, content, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else text

    def score(self, rows: list[dict[str, Any]], **more: Any) -> Any:
        """Score rows; the answer."""
        status, answer = self.call("/v1/score", {"rows": rows, **more})
        assert status == 200, answer
        return answer


@contextmanager
def running(place: Path, **options: Any) -> Iterator[Client]:
    """Run a service while the context lasts."""
    app = make_app(place, **{"limits": Limits(), **options})
    settings = server_options(ServiceSettings(place, port=0, stop_seconds=10))
    server = uvicorn.Server(uvicorn.Config(app, **settings))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Client(server.servers[0].sockets[0].getsockname()[1], server)
    finally:
        server.should_exit = True
        thread.join()

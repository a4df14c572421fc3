"""The pages of a service: one that tries rows at ``/``, and the paths with their fields at ``/docs``.

They hold nothing of the model and load nothing from the net: what they show they ask the service for, with the token
that the reader gives them if there is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi.responses import Response

if TYPE_CHECKING:
    from fastapi import FastAPI

_HTML, _SCRIPT = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
_PAGES = {"/": ("page.html", _HTML), "/docs": ("docs.html", _HTML), "/session.js": ("session.js", _SCRIPT)}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add_pages(app: FastAPI) -> None:
    """Add the pages to an application."""
    for path, (name, kind) in _PAGES.items():
        app.add_api_route(path, _page(name, kind), include_in_schema=False, response_model=None)


def _page(name: str, kind: str) -> Callable[[], Awaitable[Response]]:
    content = files("rankelastor.service").joinpath("static", name).read_bytes()

    async def page() -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)

    return page

"""Fixtures: a small data set in the published layout, its zip, and web servers that hold it."""

from __future__ import annotations

import hashlib
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rankelastor.data.published.catalogue import PublishedDataset, PublishedFile

CONTENTS = {
    "train.csv": b"label,user\n" + b"".join(b"%d,u%d\n" % (row % 2, row) for row in range(30_000)),
    "test.csv": b"label,user\n1,u7\n0,u8\n",
    "vectors.h5": bytes(range(256)) * 40,
}


@pytest.fixture
def dataset() -> PublishedDataset:
    """Describe three files: two with a published md5 sum, one without."""
    files = tuple(
        PublishedFile(name, hashlib.md5(content).hexdigest() if name.endswith(".csv") else None)
        for name, content in CONTENTS.items()
    )
    return PublishedDataset(
        id="Tiny_x1",
        about="made up",
        files=files,
        most_bytes=1_000_000,
        owner="nobody",
        terms="be kind",
        terms_page="https://example.org/terms",
    )


def pack(path: Path, contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as packed:
        for name, content in contents.items():
            packed.writestr(name, content)
    return path


@pytest.fixture
def zips(tmp_path: Path) -> Path:
    """Make a folder that holds the zip as it is published."""
    return pack(tmp_path / "zips" / "Tiny_x1.zip", CONTENTS).parent


@dataclass
class Served:
    """A web server of one file; its behaviour can be changed between requests.

    ``cut_after``: number of bytes that each answer sends before the connection is cut; None: all.
    """

    content: bytes
    url: str = ""
    version: str = '"1"'
    ranges: bool = True
    cut_after: int | None = None
    status: int | None = None
    sends_to: str | None = None
    asked: list[str | None] = field(default_factory=list)
    authorisations: list[str | None] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    served: Served

    def do_GET(self) -> None:
        served = self.served
        asked = self.headers.get("Range")
        served.asked.append(asked)
        served.authorisations.append(self.headers.get("Authorization"))
        if served.sends_to is not None:
            self.send_response(302)
            self.send_header("Location", served.sends_to)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if served.status is not None:
            self.send_error(served.status)
            return
        start = self._start(asked)
        if start >= len(served.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(served.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        rest = served.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(served.content) - 1}/{len(served.content)}")
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", served.version)
        self.end_headers()
        self.wfile.write(rest if served.cut_after is None else rest[: served.cut_after])
        self.close_connection = True

    def _start(self, asked: str | None) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", asked or "")
        same = self.headers.get("If-Range", self.served.version) == self.served.version
        return int(found[1]) if found and same and self.served.ranges else 0

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Do not log."""


@pytest.fixture
def mirror(zips: Path) -> Iterator[Served]:
    """Serve the zip at ``<url>/Tiny_x1.zip``."""
    yield from _serve(zips)


@pytest.fixture
def other_mirror(zips: Path) -> Iterator[Served]:
    """Serve the same zip from a second server."""
    yield from _serve(zips)


def _serve(zips: Path) -> Iterator[Served]:
    served = Served((zips / "Tiny_x1.zip").read_bytes())
    handler = type("Handler", (_Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        yield served
        server.shutdown()
        thread.join()

"""Download one file over HTTP; a download that was cut goes on where it stopped."""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from rankelastor.errors import DataError
from rankelastor.progress import ProgressListener

_PIECE_BYTES = 1 << 20
_TIMEOUT_SECONDS = 60
_VAIN_ATTEMPTS = 3
_RANGE_NOT_SATISFIABLE = 416
_PARTIAL_CONTENT = 206
_CONTENT_RANGE = re.compile(r"bytes (?P<start>\d+)-\d+/(?P<total>\d+)|bytes \*/(?P<size>\d+)")


@dataclass(frozen=True)
class _Partial:
    """What is there of a download, and what tells whether the server still has the same file."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def _mark(self) -> Path:
        return self.path.with_name(f"{self.path.name}.version")

    @property
    def version(self) -> str | None:
        """The entity tag or date that the server gave with the first bytes."""
        return self._mark.read_text(encoding="utf-8") if self._mark.exists() else None

    def begin(self, version: str | None) -> None:
        """Start from nothing."""
        self.path.write_bytes(b"")
        self._mark.unlink(missing_ok=True)
        if version:
            self._mark.write_text(version, encoding="utf-8")

    def finish(self, target: Path) -> None:
        """All bytes are there."""
        self.path.replace(target)
        self._mark.unlink(missing_ok=True)


def download(
    url: str,
    target: Path,
    progress: ProgressListener,
    *,
    headers: Mapping[str, str] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch ``url`` to ``target``; the bytes so far wait in ``<target>.partial`` until it is whole.

    A connection that is cut is opened again, by a Range request where the server knows these; three attempts in a
    row that bring no byte end it. A later call goes on where this one stopped. ``headers`` (credentials, say) go to the
    server of ``url`` alone: a redirect is followed without them.

    Raises:
        DataError: the server does not answer, refuses, or stops for good.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise DataError(f"a mirror must be an http or https URL, but {url!r} was given")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = _Partial(target.with_name(f"{target.name}.partial"))
    vain = 0
    while vain < _VAIN_ATTEMPTS:
        before = partial.size
        try:
            if _fetch_rest(url, partial, progress, headers or {}):
                partial.finish(target)
                return
            reason = "the connection was cut"
        except HTTPError as error:
            raise DataError(f"{url} must be a file to download, but the server answers {error.code} {error.reason}; "
                            "check the place, or try again later") from error  # fmt: skip
        except (URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        vain = 0 if partial.size > before else vain + 1
        wait(float(vain))
    raise DataError(
        f"{url} must come whole, but {reason} after {partial.size:,} bytes, {_VAIN_ATTEMPTS} times in a row; "
        "run the same command again to go on from there"
    )


def _fetch_rest(url: str, partial: _Partial, progress: ProgressListener, headers: Mapping[str, str]) -> bool:
    """Append what the server sends; True when the file is whole."""
    try:
        response = urlopen(_request(url, partial, headers), timeout=_TIMEOUT_SECONDS)  # noqa: S310 - the scheme was checked
    except HTTPError as error:
        if error.code != _RANGE_NOT_SATISFIABLE or partial.size == 0:
            raise
        return _already_whole(error, partial)
    with response:
        start, total = _place(response, partial)
        progress.begin(f"download {partial.path.stem}", total=total or 0, unit="bytes")
        progress.advance(start)
        with partial.path.open("r+b") as file:
            file.seek(start)
            while piece := response.read(_PIECE_BYTES):
                file.write(piece)
                progress.advance(len(piece))
        progress.end()
    return total is None or partial.size == total


def _request(url: str, partial: _Partial, given: Mapping[str, str]) -> Request:
    headers = {"User-Agent": "rankelastor", "Accept-Encoding": "identity"}
    if partial.size:
        headers["Range"] = f"bytes={partial.size}-"
        if partial.version:
            headers["If-Range"] = partial.version
    request = Request(url, headers=headers)  # noqa: S310 - the scheme was checked
    for name, value in given.items():
        request.add_unredirected_header(name, value)
    return request


def _place(response: http.client.HTTPResponse, partial: _Partial) -> tuple[int, int | None]:
    """Where the sent bytes belong, and how many the whole file has (None: the server does not say)."""
    if response.status == _PARTIAL_CONTENT:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found and found["start"] and int(found["start"]) == partial.size:
            return partial.size, int(found["total"])
        partial.path.unlink()
        raise http.client.HTTPException("the server sent another range than was asked for")
    tag = response.headers.get("ETag", "")
    partial.begin(tag if tag.startswith('"') else response.headers.get("Last-Modified"))
    length = response.headers.get("Content-Length")
    return 0, int(length) if length else None


def _already_whole(error: HTTPError, partial: _Partial) -> bool:
    """Nothing lies beyond our bytes: they are the whole file, or of another one."""
    found = _CONTENT_RANGE.fullmatch(error.headers.get("Content-Range", ""))
    if found and found["size"] and int(found["size"]) == partial.size:
        return True
    partial.path.unlink()
    return False

"""Download one file over HTTP; resume an interrupted download."""

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
    """The partial file of a download, and the version of the file on the server that it belongs to."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def _mark(self) -> Path:
        return self.path.with_name(f"{self.path.name}.version")

    @property
    def version(self) -> str | None:
        """Entity tag or date that the server sent with the first bytes."""
        return self._mark.read_text(encoding="utf-8") if self._mark.exists() else None

    def begin(self, version: str | None) -> None:
        """Start from an empty file."""
        self.path.write_bytes(b"")
        self._mark.unlink(missing_ok=True)
        if version:
            self._mark.write_text(version, encoding="utf-8")

    def finish(self, target: Path) -> None:
        """Move the complete file to ``target``."""
        self.path.replace(target)
        self._mark.unlink(missing_ok=True)


def download(
    url: str,
    target: Path,
    progress: ProgressListener,
    *,
    headers: Mapping[str, str] | None = None,
    most_bytes: int | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Download ``url`` to ``target``; ``<target>.partial`` holds the bytes until the file is complete.

    A broken connection is opened again, with a Range request if the server supports it; three consecutive attempts
    without a new byte end the download. A later call resumes it. ``headers`` (credentials, for example) are sent to
    the server of ``url`` alone: a redirect is followed without them. ``most_bytes`` ends the download of a file that
    does not end by itself; what was stored is removed.

    Raises:
        DataError: the server does not answer, refuses, or stops sending.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise DataError(f"a mirror must be an http or https URL, but {url!r} was given")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = _Partial(target.with_name(f"{target.name}.partial"))
    vain = 0
    while vain < _VAIN_ATTEMPTS:
        before = partial.size
        try:
            if _fetch_rest(url, partial, progress, headers or {}, most_bytes):
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
        f"{url} must be downloaded completely, but {reason} after {partial.size:,} bytes, "
        f"{_VAIN_ATTEMPTS} times in a row; run the same command again to resume"
    )


def _fetch_rest(
    url: str, partial: _Partial, progress: ProgressListener, headers: Mapping[str, str], most_bytes: int | None
) -> bool:
    """Append the bytes that the server sends; return whether the file is complete."""
    try:
        response = urlopen(_request(url, partial, headers), timeout=_TIMEOUT_SECONDS)  # noqa: S310 - the scheme is checked
    except HTTPError as error:
        if error.code != _RANGE_NOT_SATISFIABLE or partial.size == 0:
            raise
        return _keep_if_whole(error, partial)
    with response:
        start, total = _place(response, partial)
        progress.begin(f"download {partial.path.stem}", total=total or 0, unit="bytes")
        progress.advance(start)
        with partial.path.open("r+b") as file:
            file.seek(start)
            while piece := response.read(_PIECE_BYTES):
                if most_bytes is not None and file.tell() + len(piece) > most_bytes:
                    partial.path.unlink()
                    raise DataError(
                        f"{url} must have at most {most_bytes:,} bytes, but the server sends more; try another mirror"
                    )
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
    request = Request(url, headers=headers)  # noqa: S310 - the scheme is checked
    for name, value in given.items():
        request.add_unredirected_header(name, value)
    return request


def _place(response: http.client.HTTPResponse, partial: _Partial) -> tuple[int, int | None]:
    """Return the offset of the sent bytes, and the size of the whole file (None if the server does not send it)."""
    if response.status == _PARTIAL_CONTENT:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found and found["start"] and int(found["start"]) == partial.size:
            return partial.size, int(found["total"])
        partial.path.unlink()
        raise http.client.HTTPException("the server sent another range than requested")
    tag = response.headers.get("ETag", "")
    partial.begin(tag if tag.startswith('"') else response.headers.get("Last-Modified"))
    length = response.headers.get("Content-Length")
    return 0, int(length) if length else None


def _keep_if_whole(error: HTTPError, partial: _Partial) -> bool:
    """Tell whether the partial file, after which the server has no bytes, is the whole file; else delete it."""
    found = _CONTENT_RANGE.fullmatch(error.headers.get("Content-Range", ""))
    if found and found["size"] and int(found["size"]) == partial.size:
        return True
    partial.path.unlink()
    return False

"""Tests of the sources of archives: the hub through `huggingface_hub`, with a server that answers like the hub."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.data.published.conftest import Served

from rankelastor.data.published.catalogue import PublishedDataset
from rankelastor.data.published.sources import Hub, LocalFolder, Mirror, choose_source
from rankelastor.errors import DataError
from rankelastor.progress import SilentProgress

ARCHIVE_PATH = "/datasets/reczoo/Tiny_x1/resolve/main/Tiny_x1.zip"
FILE_URL = "/{repo_id}/resolve/{revision}/{filename}"


@dataclass
class FakeHub:
    """A server of the two requests of a download; ``cut_after`` cuts the first answer, ``sends_to`` redirects."""

    content: bytes
    cut_after: int | None = None
    sends_to: str | None = None
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    authorisations: list[str | None] = field(default_factory=list)


@pytest.fixture
def hub(zips: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    constants = pytest.importorskip("huggingface_hub.constants", reason="the extra `hub` is not installed")
    fake = FakeHub((zips / "Tiny_x1.zip").read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            asked = self.headers.get("Range")
            if "/resolve/" in self.path:
                fake.requests.append((self.command, self.path, asked))
                fake.authorisations.append(self.headers.get("Authorization"))
            if self.path != ARCHIVE_PATH:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            rest = fake.content[start:]
            self.send_response(302 if fake.sends_to else 206 if asked else 200)
            if fake.sends_to:
                self.send_header("Location", fake.sends_to)
                self.send_header("X-Linked-ETag", '"1234"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("ETag", '"1234"')
            self.send_header("Accept-Ranges", "bytes")
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(fake.content) - 1}/{len(fake.content)}")
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if body:
                cut, fake.cut_after = fake.cut_after, None
                self.wfile.write(rest[:cut])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Do not log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)  # what HF_ENDPOINT sets when the library is imported
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield fake
        server.shutdown()
        thread.join()


class Progress(SilentProgress):
    """Counts bytes."""

    total = 0
    done = 0

    def begin(self, stage: str, *, total: int, unit: str) -> None:  # noqa: ARG002
        self.total = total

    def advance(self, amount: int, **figures: float) -> None:  # noqa: ARG002
        self.done += amount


def test_the_hub_gives_the_archive_of_the_repository(hub: FakeHub, dataset: PublishedDataset, tmp_path: Path) -> None:
    progress = Progress()
    archive = Hub().archive(dataset, tmp_path / "work", progress)
    assert archive.read_bytes() == hub.content
    assert {(method, path) for method, path, _ in hub.requests} == {("HEAD", ARCHIVE_PATH), ("GET", ARCHIVE_PATH)}
    assert progress.done == progress.total == len(hub.content)


def test_a_download_from_the_hub_that_is_cut_goes_on(hub: FakeHub, dataset: PublishedDataset, tmp_path: Path) -> None:
    hub.cut_after = 200_000
    archive = Hub().archive(dataset, tmp_path / "work", SilentProgress())
    assert archive.read_bytes() == hub.content
    assert [asked for method, _, asked in hub.requests if method == "GET"] == [None, "bytes=200000-"]


def test_credentials_stay_with_the_hub_when_it_sends_us_elsewhere(
    hub: FakeHub, mirror: Served, dataset: PublishedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.sends_to = f"{mirror.url}/signed"
    assert Hub().archive(dataset, tmp_path, SilentProgress()).read_bytes() == mirror.content
    assert hub.authorisations == ["Bearer hf_secret"]
    assert mirror.authorisations == [None]


def test_a_data_set_that_the_hub_lacks_is_explained(
    hub: FakeHub, dataset: PublishedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(dataset), "repository", property(lambda _: "reczoo/Gone"))
    with pytest.raises(
        DataError, match=r"reczoo/Gone/Tiny_x1.zip on the hub must be available for download, but .*place=\.\.\."
    ):
        Hub().archive(dataset, tmp_path / "work", SilentProgress())
    assert hub.requests


def test_a_hub_that_cannot_be_reached_is_explained(
    hub: FakeHub, dataset: PublishedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9" + FILE_URL)
    with pytest.raises(
        DataError, match=r"on the hub must be available for download, but .*try again later, or place=\.\.\."
    ):
        Hub().archive(dataset, tmp_path / "work", SilentProgress())
    assert not hub.requests


def test_without_the_extra_the_message_says_how_to_install_it(
    dataset: PublishedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DataError, match=r"pip install -e .*\[hub\]'?, or place=\.\.\. with"):
        Hub().archive(dataset, tmp_path, SilentProgress())


@pytest.mark.parametrize(
    ("place", "source", "origin"),
    [
        (None, Hub(), "reczoo/Tiny_x1/Tiny_x1.zip on the hub"),
        ("https://a.org/zips/", Mirror("https://a.org/zips/"), "https://a.org/zips/Tiny_x1.zip"),
        ("http://a.org/b.zip", Mirror("http://a.org/b.zip"), "http://a.org/b.zip"),
        ("/media/zips", LocalFolder(Path("/media/zips")), "/media/zips/Tiny_x1.zip"),
        ("/media/b.zip", LocalFolder(Path("/media/b.zip")), "/media/b.zip"),
    ],
    ids=["hub", "mirror", "file on a mirror", "folder", "file"],
)
def test_a_place_is_read_as_people_mean_it(
    place: str | None, source: object, origin: str, dataset: PublishedDataset
) -> None:
    found = choose_source(place)
    assert found == source
    assert found.place(dataset) == origin


@pytest.mark.parametrize("place", ["ftp://x/y", "s3://bucket/zips", "file:///media/zips"])
def test_other_kinds_of_urls_are_refused(place: str) -> None:
    with pytest.raises(DataError, match=f"the source must be an http or https URL, or a local folder, but '{place}'"):
        choose_source(place)

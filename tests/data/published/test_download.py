"""Tests of downloads over HTTP that are cut, refused, or changed in between."""

from pathlib import Path

import pytest
from tests.data.published.conftest import Served

from rankelastor.data.published.download import download
from rankelastor.errors import DataError
from rankelastor.progress import SilentProgress


class Progress(SilentProgress):
    """Records the amounts of the last stage."""

    def begin(self, stage: str, *, total: int, unit: str) -> None:
        self.stage, self.total, self.unit, self.done = stage, total, unit, 0

    def advance(self, amount: int, **figures: float) -> None:  # noqa: ARG002
        self.done += amount


def fetch(served: Served, target: Path, waits: list[float] | None = None) -> Progress:
    progress = Progress()
    download(f"{served.url}/a.zip", target, progress, wait=(waits if waits is not None else []).append)
    return progress


def test_a_file_comes_whole_and_progress_counts_its_bytes(mirror: Served, tmp_path: Path) -> None:
    progress = fetch(mirror, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == mirror.content
    assert (progress.stage, progress.unit) == ("download a.zip", "bytes")
    assert progress.done == progress.total == len(mirror.content)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.zip"]


def test_a_cut_connection_is_opened_again_where_it_stopped(mirror: Served, tmp_path: Path) -> None:
    mirror.cut_after = 100_000
    progress = fetch(mirror, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == mirror.content
    assert mirror.asked == [None, *[f"bytes={start}-" for start in range(100_000, len(mirror.content), 100_000)]]
    assert progress.done == progress.total == len(mirror.content)


def test_a_server_that_stops_sending_ends_it_and_a_later_call_goes_on(mirror: Served, tmp_path: Path) -> None:
    waits: list[float] = []
    mirror.cut_after = 0
    with pytest.raises(
        DataError, match=r"must be downloaded completely, but .* after 0 bytes, 3 times in a row; run the same"
    ):
        fetch(mirror, tmp_path / "a.zip", waits)
    assert waits == [1.0, 2.0, 3.0]
    (tmp_path / "a.zip.partial").write_bytes(mirror.content[:5000])
    mirror.cut_after = None
    fetch(mirror, tmp_path / "a.zip")
    assert mirror.asked[-1] == "bytes=5000-"
    assert (tmp_path / "a.zip").read_bytes() == mirror.content


def test_a_file_that_changed_on_the_server_is_fetched_from_the_start(mirror: Served, tmp_path: Path) -> None:
    mirror.cut_after = 1000
    old = mirror.content
    mirror.content = old[:5000]
    fetch(mirror, tmp_path / "b.zip")
    (tmp_path / "a.zip.partial").write_bytes(bytes(1000))
    (tmp_path / "a.zip.partial.version").write_text('"0"')
    fetch(mirror, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == old[:5000]


def test_a_server_without_ranges_starts_over(mirror: Served, tmp_path: Path) -> None:
    mirror.ranges = False
    (tmp_path / "a.zip.partial").write_bytes(bytes(1000))
    fetch(mirror, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == mirror.content


def test_a_download_that_was_whole_but_not_yet_renamed_is_taken(mirror: Served, tmp_path: Path) -> None:
    (tmp_path / "a.zip.partial").write_bytes(mirror.content)
    fetch(mirror, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == mirror.content
    assert len(mirror.asked) == 1


def test_more_bytes_than_the_server_has_are_thrown_away(mirror: Served, tmp_path: Path) -> None:
    (tmp_path / "a.zip.partial").write_bytes(mirror.content + b"more")
    fetch(mirror, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == mirror.content


def test_a_server_that_sends_without_end_is_left(mirror: Served, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must have at most 10,000 bytes, but the server sends more; try another"):
        download(f"{mirror.url}/a.zip", tmp_path / "a.zip", SilentProgress(), most_bytes=10_000)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".partial" or path.name == "a.zip"]


def test_a_refusal_is_explained_at_once(mirror: Served, tmp_path: Path) -> None:
    mirror.status = 404
    with pytest.raises(DataError, match=r"a.zip must be a file to download, but the server answers 404 Not Found"):
        fetch(mirror, tmp_path / "a.zip")
    assert len(mirror.asked) == 1


def test_no_server_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be downloaded completely, but .*refused"):
        fetch(Served(b"", url="http://127.0.0.1:9"), tmp_path / "a.zip")


def test_credentials_do_not_follow_a_redirect(mirror: Served, other_mirror: Served, tmp_path: Path) -> None:
    mirror.sends_to = f"{other_mirror.url}/a.zip"
    headers = {"Authorization": "Bearer secret"}
    download(f"{mirror.url}/a.zip", tmp_path / "a.zip", SilentProgress(), headers=headers)
    assert (tmp_path / "a.zip").read_bytes() == other_mirror.content
    assert mirror.authorisations == ["Bearer secret"]
    assert other_mirror.authorisations == [None]


def test_only_web_addresses_are_followed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be an http or https URL, but 'file:///etc/passwd'"):
        download("file:///etc/passwd", tmp_path / "a", SilentProgress())

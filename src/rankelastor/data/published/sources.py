"""The sources of an archive: the hub, a mirror, or a local folder of zips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from rankelastor.data.published.catalogue import PublishedDataset
from rankelastor.data.published.download import download
from rankelastor.errors import SOURCE_PLACE, DataError
from rankelastor.extras import how_to_install
from rankelastor.progress import ProgressListener
from rankelastor.suggestions import what_lies_near


class ArchiveSource(Protocol):
    """A source of archives of published data sets."""

    def archive(self, dataset: PublishedDataset, workplace: Path, progress: ProgressListener) -> Path:
        """Return the path of the complete zip; download it into ``workplace`` if need be, resuming if interrupted.

        Raises:
            DataError: the archive cannot be fetched; the message says why.
        """

    def place(self, dataset: PublishedDataset) -> str:
        """Name the origin of the archive for messages."""


def choose_source(place: str | None) -> ArchiveSource:
    """Choose the source: a mirror for a URL, a folder of zips for another text, the hub for None.

    Raises:
        DataError: ``place`` is a URL that is neither http nor https.
    """
    if place is None:
        return Hub()
    if urlsplit(place).scheme in {"http", "https"}:
        return Mirror(place)
    if "://" in place:
        raise DataError(
            f"the source must be an http or https URL, or a local folder, but {place!r} was given; "
            "download the zip by other means and give the folder that holds it"
        )
    return LocalFolder(Path(place))


@dataclass(frozen=True)
class LocalFolder:
    """A folder that holds the zip, or the zip itself; the zip is read in place."""

    folder: Path

    def archive(self, dataset: PublishedDataset, workplace: Path, progress: ProgressListener) -> Path:  # noqa: ARG002
        """Return the path of the zip in the folder."""
        path = Path(self.place(dataset))
        if not path.is_file():
            raise DataError(
                f"the source must be a URL, or a folder that holds {dataset.archive}, but {path} does not exist; "
                f"{what_lies_near(path)}"
            )
        return path

    def place(self, dataset: PublishedDataset) -> str:
        """Return the path of the zip as text."""
        return str(self.folder if self.folder.suffix == ".zip" else self.folder / dataset.archive)


@dataclass(frozen=True)
class Mirror:
    """A web server that holds the zips."""

    url: str

    def archive(self, dataset: PublishedDataset, workplace: Path, progress: ProgressListener) -> Path:
        """Download the zip, or the rest of an interrupted download."""
        target = workplace / dataset.archive
        if not target.exists():
            download(self.place(dataset), target, progress, most_bytes=dataset.most_bytes)
        return target

    def place(self, dataset: PublishedDataset) -> str:
        """Return the URL of the zip."""
        return self.url if self.url.endswith(".zip") else f"{self.url.rstrip('/')}/{dataset.archive}"


@dataclass(frozen=True)
class Hub:
    """The repository of the data set on the Hugging Face hub; ``HF_ENDPOINT`` selects another compatible server.

    `huggingface_hub` finds the file and the credentials. The bytes are fetched by our own download, because that of
    `huggingface_hub` (2.4) discards the partial file when it is interrupted.
    """

    def archive(self, dataset: PublishedDataset, workplace: Path, progress: ProgressListener) -> Path:
        """Download the zip, or the rest of an interrupted download."""
        target = workplace / dataset.archive
        if not target.exists():
            url, headers = self._address(dataset)
            download(url, target, progress, headers=headers, most_bytes=dataset.most_bytes)
        return target

    def place(self, dataset: PublishedDataset) -> str:
        """Name the repository and the file."""
        return f"{dataset.repository}/{dataset.archive} on the hub"

    def _address(self, dataset: PublishedDataset) -> tuple[str, dict[str, str]]:
        """Find the URL of the bytes and the headers to send; credentials are sent to the hub alone."""
        try:
            from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url  # noqa: PLC0415 - an extra
            from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined] # noqa: PLC0415 - an extra
        except ImportError:
            raise DataError(
                f"huggingface_hub must be installed to fetch from the hub, but is not; try {how_to_install('hub')}, or "
                f"{SOURCE_PLACE} with a folder of zips or the URL of a mirror",
                python=SOURCE_PLACE,
            ) from None
        url = hf_hub_url(dataset.repository, dataset.archive, repo_type="dataset")
        try:
            location = get_hf_file_metadata(url).location
        except (HTTPError, OSError) as error:
            reason = str(error).strip().splitlines()[0].rstrip(".")
            raise DataError(
                f"{self.place(dataset)} must be available for download, but {reason}; "
                f"try again later, or {SOURCE_PLACE} with a mirror or a folder of zips",
                python=SOURCE_PLACE,
            ) from error
        same_server = urlsplit(location).netloc == urlsplit(url).netloc
        token = get_token() if same_server else None
        return location, {"Authorization": f"Bearer {token}"} if token else {}

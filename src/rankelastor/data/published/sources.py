"""Where an archive comes from: the hub, a mirror, a local folder of zips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from rankelastor.data.published.catalogue import PublishedDataset
from rankelastor.data.published.download import download
from rankelastor.errors import DataError
from rankelastor.progress import ProgressListener


class Source(Protocol):
    """Brings an archive onto this machine."""

    def archive(self, dataset: PublishedDataset, workplace: Path, progress: ProgressListener) -> Path:
        """The path of the whole zip; a source that downloads puts it into ``workplace``, and goes on where it stopped.

        Raises:
            DataError: it cannot be had; the message says why.
        """

    def place(self, dataset: PublishedDataset) -> str:
        """Where the archive comes from, for people."""


def source_of(place: str | None) -> Source:
    """A URL is a mirror, another text a folder of zips, None the hub.

    Raises:
        DataError: a URL that is neither http nor https.
    """
    if place is None:
        return Hub()
    if urlsplit(place).scheme in {"http", "https"}:
        return Mirror(place)
    if "://" in place:
        raise DataError(
            f"--from must be an http or https URL, or a local folder, but {place!r} was given; "
            "download the zip by other means and name the folder that holds it"
        )
    return LocalFolder(Path(place))


@dataclass(frozen=True)
class LocalFolder:
    """A folder that holds the zip, or the zip itself; it is read where it lies."""

    folder: Path

    def archive(self, dataset: PublishedDataset, workplace: Path, progress: ProgressListener) -> Path:  # noqa: ARG002
        """The zip in the folder."""
        path = Path(self.place(dataset))
        if not path.is_file():
            raise DataError(
                f"--from must be a URL, or a folder that holds {dataset.archive}, but {path} does not exist"
            )
        return path

    def place(self, dataset: PublishedDataset) -> str:
        """The path of the zip."""
        return str(self.folder if self.folder.suffix == ".zip" else self.folder / dataset.archive)


@dataclass(frozen=True)
class Mirror:
    """A web server that holds the zips side by side."""

    url: str

    def archive(self, dataset: PublishedDataset, workplace: Path, progress: ProgressListener) -> Path:
        """Download the zip, or the rest of it."""
        target = workplace / dataset.archive
        if not target.exists():
            download(self.place(dataset), target, progress)
        return target

    def place(self, dataset: PublishedDataset) -> str:
        """The URL of the zip."""
        return self.url if self.url.endswith(".zip") else f"{self.url.rstrip('/')}/{dataset.archive}"


@dataclass(frozen=True)
class Hub:
    """The data set's repository on the Hugging Face hub; ``HF_ENDPOINT`` names another server of the same kind.

    `huggingface_hub` finds the file and gives the credentials. The bytes come by our own download, since its own
    (2.4) throws away what was fetched when it is interrupted.
    """

    def archive(self, dataset: PublishedDataset, workplace: Path, progress: ProgressListener) -> Path:
        """Download the zip, or the rest of it."""
        target = workplace / dataset.archive
        if not target.exists():
            url, headers = self._address(dataset)
            download(url, target, progress, headers=headers)
        return target

    def place(self, dataset: PublishedDataset) -> str:
        """Repository and file."""
        return f"{dataset.repository}/{dataset.archive} on the hub"

    def _address(self, dataset: PublishedDataset) -> tuple[str, dict[str, str]]:
        """Where the hub keeps the bytes, and what to send there; credentials go to the hub alone."""
        try:
            from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url  # noqa: PLC0415 - an extra
            from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined] # noqa: PLC0415 - an extra
        except ImportError:
            raise DataError(
                "fetching from the hub needs huggingface_hub, but it is not installed; try "
                "pip install 'rankelastor[hub]', or --from with a folder of zips or the URL of a mirror"
            ) from None
        url = hf_hub_url(dataset.repository, dataset.archive, repo_type="dataset")
        try:
            location = get_hf_file_metadata(url).location
        except (HTTPError, OSError) as error:
            reason = str(error).strip().splitlines()[0].rstrip(".")
            raise DataError(
                f"{self.place(dataset)} must be there to download, but {reason}; "
                "try again later, or --from with a mirror or a folder of zips"
            ) from error
        same_server = urlsplit(location).netloc == urlsplit(url).netloc
        token = get_token() if same_server else None
        return location, {"Authorization": f"Bearer {token}"} if token else {}

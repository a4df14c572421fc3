"""Where an archive comes from: the hub, a mirror, a local folder of zips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
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
    """A URL is a mirror, another text a folder of zips, None the hub."""
    if place is None:
        return Hub()
    return Mirror(place) if urlsplit(place).scheme in {"http", "https"} else LocalFolder(Path(place))


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
    """The data set's repository on the Hugging Face hub; ``HF_ENDPOINT`` names another server of the same kind."""

    def archive(self, dataset: PublishedDataset, workplace: Path, progress: ProgressListener) -> Path:
        """Let `huggingface_hub` download the zip, or the rest of it."""
        try:
            from huggingface_hub import hf_hub_download  # noqa: PLC0415 - an extra
            from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415 - an extra
        except ImportError:
            raise DataError(
                "fetching from the hub needs huggingface_hub, but it is not installed; try "
                "pip install 'rankelastor[hub]', or --from with a folder of zips or the URL of a mirror"
            ) from None
        try:
            path = hf_hub_download(
                dataset.repository,
                dataset.archive,
                repo_type="dataset",
                local_dir=workplace,
                tqdm_class=_hub_bar(progress),
            )
        except (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError, TimeoutError) as error:
            reason = str(error).strip().splitlines()[0]
            raise DataError(
                f"{self.place(dataset)} must be there to download, but {reason}; "
                "run the same command again to go on, or try --from with a mirror or a folder of zips"
            ) from error
        return Path(path)

    def place(self, dataset: PublishedDataset) -> str:
        """Repository and file."""
        return f"{dataset.repository}/{dataset.archive} on the hub"


def _hub_bar(progress: ProgressListener) -> Any:
    """A bar class for `huggingface_hub` that draws nothing and tells our listener."""
    from tqdm import tqdm  # noqa: PLC0415 - comes with the extra

    class Bar(tqdm):  # type: ignore[type-arg, unused-ignore]
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            self._total = int(keywords.get("total") or 0)
            progress.begin(f"download {keywords.get('desc') or ''}".strip(), total=self._total, unit="bytes")
            progress.advance(int(keywords.get("initial") or 0))
            super().__init__(*arguments, **(keywords | {"disable": True}))

        def update(self, n: float | None = 1) -> bool | None:
            progress.advance(int(n or 0))
            return None

    return Bar

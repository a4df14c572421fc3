"""A bundle that is unpacked into a private temporary folder, where it is a run folder like any other."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rankelastor.errors import RunError
from rankelastor.runs.bundle_file.archive import Archive, is_bundle, open_archive, write_archive
from rankelastor.runs.bundle_file.example_rows import find_excess
from rankelastor.runs.bundle_file.index import EXAMPLE_ROWS, RUN_FOLDER_NAME, BundleIndex
from rankelastor.storage import explain_storage_errors


class UnpackedBundle:
    """The files of a bundle in a temporary folder, which is removed with the last reference to this object.

    Attributes:
        source: the bundle.
        index: what it holds.
        damage: what is wrong with its files, by path in the bundle.
    """

    def __init__(self, archive: Archive) -> None:
        self.source = archive.path
        self.index: BundleIndex = archive.index
        with explain_storage_errors(Path(tempfile.gettempdir())):
            place = tempfile.mkdtemp(prefix="rankelastor-bundle-")
        self._remove = weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
        self.folder = Path(place) / "bundle"
        self.folder.mkdir()
        try:
            self.damage = archive.unpack(self.folder) or self._find_excess()
            if not self.damage:
                self._name_run()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"UnpackedBundle({str(self.source)!r})"

    @property
    def run(self) -> Path:
        """The run folder, which is called as the bundle is."""
        return self._run

    @property
    def example_rows(self) -> Path | None:
        """The file of example rows; None if the bundle has none."""
        path = self.folder / EXAMPLE_ROWS
        return path if path.is_file() else None

    def write(self, target: Path) -> None:
        """Write the same bundle once more, also where its file is gone or another one has taken its place.

        Raises:
            StorageError: the disk is full.
        """
        with explain_storage_errors(target), tempfile.TemporaryDirectory(prefix="rankelastor-bundle-") as place:
            for part in self.folder.iterdir():
                (Path(place) / part.name).symlink_to(part)
            if self._run.parent != self.folder:
                (Path(place) / RUN_FOLDER_NAME).symlink_to(self._run)
            write_archive(target, self.index, Path(place))

    def close(self) -> None:
        """Remove the folder."""
        self._remove()

    def _find_excess(self) -> dict[str, str]:
        path, expected = self.folder / EXAMPLE_ROWS, self.index.num_examples
        if not path.is_file():
            return {} if not expected else {EXAMPLE_ROWS: f"{expected:,} rows are promised, and there are none"}
        excess = find_excess(path, num_rows=expected)
        return {} if excess is None else {EXAMPLE_ROWS: excess}

    def _name_run(self) -> None:
        held = self.folder / RUN_FOLDER_NAME
        if not held.is_dir():
            raise RunError(f"{self.source} must hold a run, but has no {RUN_FOLDER_NAME}/; make it again")
        name = self.source.stem
        self._run = self.folder.parent / (RUN_FOLDER_NAME if name in {"", ".", ".."} else name)
        if self._run == self.folder:
            self._run = held
        else:
            held.rename(self._run)


def unpack_bundle(path: str | Path) -> UnpackedBundle:
    """Unpack a bundle whose files are all what was written.

    Raises:
        RunError: the bundle is missing, damaged, or was written by a newer version.
        StorageError: the disk of the temporary folder has too little space.
    """
    with open_archive(path) as archive:
        unpacked = UnpackedBundle(archive)
    if unpacked.damage:
        name, what = next(iter(unpacked.damage.items()))
        unpacked.close()
        raise RunError(
            f"{path} must be a whole bundle, but {name} is damaged: {what}; restore the bundle from a copy, or make it "
            "again with `rankelastor bundle RUN`"
        )
    return unpacked


@contextmanager
def opened_run(path: str | Path) -> Iterator[Path]:
    """Yield the run folder at a path, or that of the bundle at a path while the context lasts.

    Raises:
        RunError: it is a bundle that is damaged, or was written by a newer version.
    """
    if not is_bundle(path):
        yield Path(path)
        return
    unpacked = unpack_bundle(path)
    try:
        yield unpacked.run
    finally:
        unpacked.close()

"""The index of a bundle, ``bundle.json``: what it holds, with the size and checksum of each of its files.

.. code-block:: text

    bundle.json             this index, the first file of the archive
    card.md                 the model card, for people
    run/                    a finished run folder (runs/run_folder.py), of an ensemble with its members
    examples/rows.parquet   some raw rows, unless they were left out
    examples/scores.json    their probabilities, and with what arithmetic they were computed

A bundle is a zip archive whose files are stored without compression, so that none can be larger than the archive.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Self

from rankelastor.checksums import Checksum, checksum_of_json
from rankelastor.errors import RunError, shorten

INDEX_FILE = "bundle.json"
CARD_FILE = "card.md"
RUN_FOLDER_NAME = "run"
EXAMPLE_ROWS = "examples/rows.parquet"
EXAMPLE_SCORES = "examples/scores.json"
FORMAT_VERSION = 1
MOST_INDEX_BYTES = 16 << 20
_LONGEST_NAME = 1000


@dataclass(frozen=True)
class BundleIndex:
    """What a bundle says of itself.

    Attributes:
        name: name of the recipe.
        model: kind of the model.
        version: version of rankelastor that wrote it.
        num_examples: number of example rows; 0 if they were left out.
        hashed_vocabularies: whether hashes stand in place of the values of vocabularies.
        files: size and checksum of each file by its path in the archive.
    """

    name: str
    model: str
    version: str
    num_examples: int
    hashed_vocabularies: bool
    files: Mapping[str, Checksum]

    def text(self) -> str:
        """Write the index as JSON, with a digest of all the rest."""
        values = {"format_version": FORMAT_VERSION, **asdict(self)}
        values["files"] = {name: asdict(each) for name, each in self.files.items()}
        return json.dumps(values | {"digest": checksum_of_json(values)}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, content: bytes, *, source: str) -> Self:
        """Read an index from the bytes of ``bundle.json``.

        Args:
            content: the bytes.
            source: name of the bundle in messages.

        Raises:
            RunError: it is damaged, or a newer version wrote it.
        """
        try:
            values = json.loads(content.decode("utf-8"))
            _require_version(values["format_version"], source)
            _require_digest(values.pop("digest"), values)
            return cls._of(values)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise RunError(
                f"{source} must be a whole bundle, but its {INDEX_FILE} is damaged: {shorten(error)}; restore it from "
                "a copy, or make it again"
            ) from None

    @classmethod
    def _of(cls, values: Mapping[str, Any]) -> Self:
        files = {_checked(name): _checksum(each) for name, each in values["files"].items()}
        name, model, version = (str(values[key]) for key in ("name", "model", "version"))
        return cls(name, model, version, int(values["num_examples"]), bool(values["hashed_vocabularies"]), files)


def _require_version(version: object, source: str) -> None:
    if version != FORMAT_VERSION:
        raise RunError(
            f"{source} must be a bundle of format_version {FORMAT_VERSION} or lower, but has {shorten(version)}: a "
            "newer version of rankelastor wrote it; update rankelastor"
        )


def _require_digest(digest: object, values: Mapping[str, Any]) -> None:
    if digest != checksum_of_json(values):
        raise ValueError("the checksum differs")


def _checksum(values: Mapping[str, Any]) -> Checksum:
    num_bytes, sha256 = values["num_bytes"], values["sha256"]
    if type(num_bytes) is not int or num_bytes < 0 or not isinstance(sha256, str):
        raise TypeError("a checksum needs a size and a text")
    return Checksum(num_bytes, sha256)


def _checked(name: str) -> str:
    """Check that a file stays inside the folder that it is unpacked to, on every system."""
    windows = PureWindowsPath(name)  # it parses both kinds of slashes, and drive letters
    parts = name.split("/")
    if (
        windows.drive
        or windows.root
        or {"", ".", ".."} & set(parts)
        or any(ord(mark) < 32 or mark in '\\:*?"<>|' for mark in name)  # noqa: PLR2004 - control characters
        or len(name) > _LONGEST_NAME
        or PurePosixPath(name).name == INDEX_FILE
    ):
        raise ValueError(f"{name!r} is no path inside a bundle")
    return name

"""The checksums of a run folder, ``checksums.json``: what was written is what is read.

.. code-block:: text

    format_version    of this file
    config            checksum of the settings of config.yaml on which probabilities may depend
    files             size and checksum of each file, by its path in the folder

The folder is sealed twice: when training begins (settings, environment, features), and when it is finished (metrics,
result and weights too). Weights that change while training carry their own checksum (runs/weights.py), so that a killed
training leaves them whole. ``schema.json`` holds the checksums of the vocabularies, too, and the weights name the
features that they were trained on: a part of another run is noticed, even if all its own checksums are right.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rankelastor.checksums import Checksum, checksum_of_bytes, checksum_of_json, checksums_below, find_damage
from rankelastor.errors import RunError, shorten
from rankelastor.recipes.plain_yaml import read_plain_yaml
from rankelastor.storage import whole_file

SEAL_FILE = "checksums.json"
FORMAT_VERSION = 1
_INPUTS = ("config.yaml", "environment.json", "ensemble.json", "features/**/*")
_OUTPUTS = ("metrics.jsonl", "spectrum/*", "checkpoints/best.safetensors", "calibration.json")
_RESULT = "result.json"
_FREE = ("data", "training.execution", "training.evaluation_batch_size")
"""Settings of config.yaml that may be changed by hand: where the data lie, and how to compute."""
_TIED = "negatives_kept"
"""The one data setting on which probabilities depend."""


@dataclass(frozen=True)
class Seal:
    """The checksums of a run folder.

    Attributes:
        folder: the run folder.
        config: checksum of the settings on which probabilities may depend.
        files: checksum of each file by its path in the folder.
    """

    folder: Path
    config: str
    files: Mapping[str, Checksum]

    @classmethod
    def of_inputs(cls, folder: Path) -> Self:
        """Compute the checksums of what is there before the first step."""
        return cls(folder, _checksum_of_settings(folder), checksums_below(folder, _files(folder, _INPUTS)))

    @classmethod
    def of_finished(cls, folder: Path, result: str) -> Self:
        """Compute the checksums of all that a finished run holds.

        Args:
            folder: the run folder.
            result: the text of ``result.json``, which is written after the checksums and marks the run as finished.
        """
        data = result.encode()
        files = checksums_below(folder, _files(folder, (*_INPUTS, *_OUTPUTS)))
        files[_RESULT] = Checksum(len(data), checksum_of_bytes(data))
        return cls(folder, _checksum_of_settings(folder), files)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the checksums of a folder; None if there are none, as in folders of earlier versions.

        Raises:
            RunError: the file is damaged, or was written by a newer version.
        """
        path = folder / SEAL_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values["format_version"] != FORMAT_VERSION:
                raise RunError(
                    f"{path} must have format_version {FORMAT_VERSION}, but has {shorten(values['format_version'])}: a "
                    "newer version of rankelastor wrote it; update rankelastor"
                )
            files = {
                str(name): Checksum(int(each["num_bytes"]), each["sha256"]) for name, each in values["files"].items()
            }
            return cls(folder, str(values["config"]), files)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RunError(f"{path} must hold the checksums of a run, but cannot be read: {shorten(error)}") from error

    def write(self) -> None:
        """Write ``checksums.json``."""
        files = {name: asdict(each) for name, each in self.files.items()}
        values = {"format_version": FORMAT_VERSION, "config": self.config, "files": files}
        with whole_file(self.folder / SEAL_FILE) as temporary:
            temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    def find_damage(self, *names: str, again: bool = False) -> dict[str, str]:
        """Say what is wrong with files, by name; all files are read if none is named."""
        wanted = names or tuple(self.files)
        found = {
            name: find_damage(self.folder / name, self.files[name], again=again)
            for name in wanted
            if name in self.files
        }
        return {name: damage for name, damage in found.items() if damage is not None}

    def require_whole(self, *names: str) -> None:
        """Check files against their checksums; names without a checksum are not checked.

        Raises:
            RunError: a file is missing or damaged.
        """
        for name, damage in self.find_damage(*names).items():
            raise damaged_part(self.folder, name, damage)

    def require_settings(self) -> None:
        """Check that ``config.yaml`` describes the model that was trained; places of data may have been changed.

        Raises:
            RunError: another setting was changed, or the file is damaged.
        """
        if _checksum_of_settings(self.folder) != self.config:
            raise damaged_part(
                self.folder,
                "config.yaml",
                f"settings other than {', '.join(_FREE)} are not those of the training",
            )


def damaged_part(folder: Path, name: str, damage: str) -> RunError:
    """Make the error of a damaged file of a run folder."""
    return RunError(f"{folder / name} must be whole, but {damage}; restore it from a copy, or train again")


def _files(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return [path for pattern in patterns for path in folder.glob(pattern) if path.is_file()]


def _checksum_of_settings(folder: Path) -> str:
    """Compute the checksum of the settings in ``config.yaml`` as they stand there, without those that are free."""
    values = read_plain_yaml(folder / "config.yaml")
    data = values.get("data")
    tied = data.get(_TIED) if isinstance(data, dict) else None
    for path in _FREE:
        *parents, last = path.split(".")
        place: Any = values
        for key in parents:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.pop(last, None)
    try:
        return checksum_of_json([values, tied])
    except (TypeError, ValueError):  # dates, or keys of several types, which no recipe holds
        return ""

"""Copy what a bundle needs of a run folder: all that scoring and describing it needs, and nothing of the training."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

from rankelastor.checksums import checksum_of_file
from rankelastor.data.features.value_hashes import SALT_BYTES
from rankelastor.data.manifest import VOCABULARY_FOLDER, FileChecksum, Manifest, read_vocabularies
from rankelastor.recipes.plain_yaml import plain_yaml_text, read_plain_yaml
from rankelastor.runs.ensemble_folder import member_folders
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.seal import Seal
from rankelastor.runs.weights import read_weights, write_weights

_COPIED = (
    "config.yaml",
    "environment.json",
    "ensemble.json",
    "metrics.jsonl",
    "calibration.json",
    "result.json",
    "estimator.json",
    "checkpoints/best.safetensors",
    "spectrum/samples.jsonl",
)
_LOCAL = ("prepared", "members")
"""What ``environment.json`` says of the machine's folders, which means nothing elsewhere."""
_PLACES = ("folder", "all", "train", "valid", "test")
"""The settings of ``data.files`` that may name folders of the machine."""


def stage_run(source: Path, target: Path, *, hash_vocabularies: bool) -> None:
    """Copy a finished run, with the members of an ensemble, into a new folder.

    Args:
        source: the run folder.
        target: the folder to make.
        hash_vocabularies: whether hashes take the place of the values of vocabularies, unless they have already.

    Raises:
        RunError: a part is damaged.
        SettingsError: ``config.yaml`` cannot be read.
        OSError: the disk is full.
    """
    salt = secrets.token_hex(SALT_BYTES) if hash_vocabularies else None
    for folder in (*member_folders(source), source):  # an ensemble's checksums come last
        copy = target / folder.relative_to(source)
        _copy(folder, copy)
        if salt is not None:
            _hash_vocabularies(copy, salt)
        seal(copy)


def seal(run: Path) -> None:
    """Write the checksums of a run folder anew; folders of versions without checksums get none."""
    if RunFolder(run).seal() is not None:
        Seal.of_finished(run, (run / "result.json").read_text(encoding="utf-8")).write()


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(RunFolder(source).features, target / "features")
    for name in _COPIED:
        if (source / name).is_file():
            (target / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source / name, target / name)
    if (source / "checksums.json").is_file():
        shutil.copyfile(source / "checksums.json", target / "checksums.json")
    path = target / "environment.json"
    if path.is_file():
        values = json.loads(path.read_text(encoding="utf-8"))
        kept = {name: value for name, value in values.items() if name not in _LOCAL}
        path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    _leave_out_places(target / "config.yaml")


def _leave_out_places(config: Path) -> None:
    """Leave of the folders of the machine that settings name in full only their last names."""
    values = read_plain_yaml(config)
    data: dict[str, Any] = values["data"]
    data["prepared"] = _last_name(data.get("prepared"))
    files = data.get("files")
    if isinstance(files, dict):
        data["files"] = files | {name: _last_name(files[name]) for name in _PLACES if name in files}
    config.write_text(plain_yaml_text(values), encoding="utf-8")


def _last_name(place: object) -> object:
    """Shorten a path that leads out of the current folder, or each of several; others stay as they are.

    Example:
        >>> _last_name("/home/anna/logs"), _last_name("data/logs"), _last_name(["../a/*.csv"])
        ('logs', 'data/logs', ['*.csv'])
    """
    if isinstance(place, list):
        return [_last_name(each) for each in place]
    if not isinstance(place, str):
        return place
    windows = PureWindowsPath(place)  # it parses both kinds of slashes, and drive letters
    leads_out = bool(windows.anchor) or ".." in windows.parts or place.startswith("~")
    return (windows.name or ".") if leads_out else place


def _hash_vocabularies(run: Path, salt: str) -> None:
    features = RunFolder(run).features
    manifest = Manifest.read(features)
    if manifest.vocabulary_salt is not None:
        return
    weights = RunFolder(run).best_weights
    tensors = read_weights(weights, features=manifest.feature_digest) if weights.is_file() else None
    for name, vocabulary in read_vocabularies(features, manifest).items():
        file = manifest.vocabulary_files[name]
        if file.shares is None:
            vocabulary.hashed(salt).write(features / VOCABULARY_FOLDER / file.file)
    hashed = manifest.model_copy(update={"vocabulary_salt": salt, "checksums": _checksums(features, manifest)})
    hashed.write(features)
    if tensors is not None and hashed.feature_digest is not None:
        write_weights(tensors, weights, features=hashed.feature_digest)


def _checksums(features: Path, manifest: Manifest) -> dict[str, FileChecksum] | None:
    if manifest.checksums is None:
        return None
    return manifest.checksums | dict(_new_checksums(features, manifest.checksums))


def _new_checksums(features: Path, names: dict[str, FileChecksum]) -> Iterator[tuple[str, FileChecksum]]:
    for name in names:
        if name.startswith(f"{VOCABULARY_FOLDER}/"):
            found = checksum_of_file(features / name)
            yield name, FileChecksum(num_bytes=found.num_bytes, sha256=found.sha256)

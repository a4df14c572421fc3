"""Check every file of a run folder or a prepared folder: what is damaged, and what could not be checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rankelastor.data.manifest import MANIFEST_FILE, Manifest
from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import RankElastorError, RunError
from rankelastor.runs.ensemble_folder import is_ensemble, member_folders
from rankelastor.runs.load import load_run, require_whole
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.seal import SEAL_FILE, Seal

_GROWING = ("train.log", "used_by.jsonl", "metrics.jsonl", SEAL_FILE, MANIFEST_FILE)
_MODEL = "model"


@dataclass(frozen=True)
class Verification:
    """What is known of the files of a folder.

    Attributes:
        folder: the folder.
        kind: what the folder is.
        num_files: number of files that were compared with a checksum.
        num_bytes: their size in bytes.
        damage: what is wrong, by path in the folder; empty if nothing is.
        unchecked: files that have no checksum.
    """

    folder: Path
    kind: Literal["run", "prepared", "bundle"]
    num_files: int
    num_bytes: int
    damage: dict[str, str]
    unchecked: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage


def verify(folder: str | Path) -> Verification:
    """Read all files of a run folder or a prepared folder and compare them with their checksums and with each other.

    Folders of earlier versions have no checksums: counts, shapes, ranges of ids and the like are checked there.

    Example:
        >>> # verify("runs/frappe-rankelastor").is_whole

    Raises:
        RunError: the folder does not exist or is neither a run folder nor a prepared folder.
    """
    folder = Path(folder)
    if (folder / "config.yaml").is_file():
        return _verify_run(folder)
    if (folder / MANIFEST_FILE).is_file():
        return _verify_prepared(folder)
    what = (
        "it is none of them"
        if folder.is_dir()
        else "it is another file"
        if folder.exists()
        else "there is no such folder"
    )
    raise RunError(
        f"{folder} must be a run folder (with config.yaml), a prepared folder (with {MANIFEST_FILE}) or a bundle, but "
        f"{what}"
    )


def _verify_prepared(folder: Path) -> Verification:
    try:
        manifest = Manifest.read(folder)
        damage = PreparedDataset(folder, manifest).find_damage()
    except RankElastorError as error:
        return Verification(folder, "prepared", 0, 0, {MANIFEST_FILE: str(error)}, ())
    sizes = {name: each.num_bytes for name, each in (manifest.checksums or {}).items()}
    return Verification(folder, "prepared", len(sizes), sum(sizes.values()), damage, _others(folder, sizes))


def _verify_run(folder: Path) -> Verification:
    damage: dict[str, str] = {}
    try:
        seal = Seal.read(folder)
    except RankElastorError as error:
        seal, damage[SEAL_FILE] = None, str(error)
    damage |= _damage_of_features(RunFolder(folder).features)
    if seal is not None:
        damage |= seal.find_damage(again=True)
    damage |= _damage_of_model(folder, damage)
    sizes = {} if seal is None else {name: each.num_bytes for name, each in seal.files.items()}
    found = Verification(
        folder, "run", len(sizes), sum(sizes.values()), damage, _others(folder, _checked(folder, seal))
    )
    return _with_members(found)


def _with_members(found: Verification) -> Verification:
    """Add what is known of the files of an ensemble's members, each by itself."""
    try:
        members = member_folders(found.folder)
    except RankElastorError:  # which is among the damage already
        return found
    for member in members:
        inside = f"{member.relative_to(found.folder).as_posix()}/"
        if not (member / "config.yaml").is_file():
            found = replace(found, damage={**found.damage, inside.rstrip("/"): "it does not exist"})
            continue
        checked = _verify_run(member)
        found = replace(
            found,
            num_files=found.num_files + checked.num_files,
            num_bytes=found.num_bytes + checked.num_bytes,
            damage={**found.damage, **{f"{inside}{name}": damage for name, damage in checked.damage.items()}},
            unchecked=(
                *(name for name in found.unchecked if not name.startswith(inside)),
                *(f"{inside}{name}" for name in checked.unchecked),
            ),
        )
    return found


def _damage_of_features(folder: Path) -> dict[str, str]:
    try:
        manifest = Manifest.read(folder)
    except RankElastorError as error:
        return {f"{folder.name}/{MANIFEST_FILE}": str(error)}
    names = [name for name in manifest.checksums or {} if name.startswith("vocabulary/")]
    found = {f"{folder.name}/{name}": manifest.find_damage(folder, name, again=True) for name in names}
    return {name: damage for name, damage in found.items() if damage is not None}


def _damage_of_model(folder: Path, damage: dict[str, str]) -> dict[str, str]:
    """Load the run, which compares its parts with each other; a damage that is known already is not told twice."""
    if damage:
        return {}
    try:
        run = RunFolder.open(folder)
        require_whole(run)
        if run.best_weights.is_file() or is_ensemble(folder):
            load_run(folder)
        if run.has_result:
            run.result()
    except RankElastorError as error:
        return {_MODEL: str(error)}
    return {}


def _checked(folder: Path, seal: Seal | None) -> set[str]:
    if seal is None:
        return set()
    return {*seal.files, RunFolder(folder).best_weights.relative_to(folder).as_posix()}


def _others(folder: Path, checked: Iterable[str]) -> tuple[str, ...]:
    """List the files without a checksum, other than those that grow or hold a checksum of themselves."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return tuple(sorted(name for name in files - set(checked) if name.rpartition("/")[2] not in _GROWING))

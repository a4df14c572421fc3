"""The run folder of an ensemble: a run folder whose members are run folders of their own inside.

.. code-block:: text

    ensemble.json      format_version, and the folders of the members, relative to this one
    members/NAME/      a run folder each, with everything that one has
    config.yaml        the recipe of the first member, with the calibration of the ensemble
    environment.json, features/, train.log, calibration.json, result.json: as in any run folder, of the ensemble
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from rankelastor.errors import RunError
from rankelastor.storage import whole_file

FILE_NAME = "ensemble.json"
MEMBERS = "members"
_FORMAT_VERSION = 1


def is_ensemble(folder: str | Path) -> bool:
    """Whether a run folder is that of an ensemble."""
    return (Path(folder) / FILE_NAME).is_file()


def member_folders(folder: str | Path) -> tuple[Path, ...]:
    """List the run folders of the members, which need not be finished; empty for a run that is no ensemble.

    Raises:
        RunError: ``ensemble.json`` is damaged, or a newer version wrote it.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        return ()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version, names = values["format_version"], values["members"]
        if version > _FORMAT_VERSION:
            raise RunError(
                f"{path} must have format_version {_FORMAT_VERSION} or lower, but has {version}: a newer version of "
                "rankelastor wrote it; update rankelastor"
            )
        members = tuple(Path(folder) / _checked(name) for name in names)
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise RunError(f"{path} must list the members of an ensemble, but does not: {error}") from None
    if not members:
        raise RunError(f"{path} must list the members of an ensemble, but lists none")
    return members


def write_members(folder: Path, names: Sequence[str]) -> None:
    """Write ``ensemble.json``; the members lie in ``members/NAME``.

    Raises:
        StorageError: the file cannot be written.
    """
    values = {"format_version": _FORMAT_VERSION, "members": [f"{MEMBERS}/{name}" for name in names]}
    with whole_file(folder / FILE_NAME) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _checked(name: str) -> PurePosixPath:
    """Check that a member lies inside the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"a member must lie inside the folder, but {name!r} does not")
    return path

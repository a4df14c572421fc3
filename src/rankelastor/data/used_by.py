"""Who uses a prepared folder: runs trained on it and recipes that prepared it, listed in the folder itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from rankelastor.places import address_of
from rankelastor.remote.remote_path import AnyPath, RemotePath

USED_BY_FILE = "used_by.jsonl"
_MOST_NAMED = 5

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class User:
    """A run folder or a recipe file that uses a prepared folder; ``path`` is absolute."""

    kind: Literal["run", "recipe"]
    path: Path

    @classmethod
    def of_run(cls, folder: str | Path) -> Self:
        """Name a run folder."""
        return cls("run", Path(folder).resolve())

    @classmethod
    def of_recipe(cls, file: str | Path) -> Self:
        """Name a recipe file."""
        return cls("recipe", Path(file).resolve())

    def exists(self) -> bool:
        """Whether the run folder or the recipe file is still there."""
        return self.path.is_file() if self.kind == "recipe" else (self.path / "config.yaml").is_file()


def add_user(folder: str | AnyPath, user: User) -> None:
    """Add a user to the list in a prepared folder, once; a folder that cannot be written keeps its list.

    A folder at an address has no list, since nothing can be added to a file there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     recipe = Path(folder) / "mine.yaml"
        ...     recipe.touch()
        ...     add_user(folder, User.of_recipe(recipe))
        ...     add_user(folder, User.of_recipe(recipe))
        ...     [(user.kind, user.path.name) for user in users_of(folder)]
        [('recipe', 'mine.yaml')]
    """
    if isinstance(folder, RemotePath) or address_of(folder) is not None or user in _listed(Path(folder)):
        return
    line = json.dumps({user.kind: str(user.path)}) + "\n"
    try:
        with (Path(folder) / USED_BY_FILE).open("a", encoding="utf-8") as file:
            file.write(line)  # one short write, so that several runs can add themselves at the same time
    except OSError as error:
        _logger.info("%s cannot note that %s uses it: %s", folder, user.path, error.strerror)


def users_of(folder: str | AnyPath) -> tuple[User, ...]:
    """List the users of a prepared folder that still exist, in the order in which they came."""
    return () if isinstance(folder, RemotePath) else tuple(user for user in _listed(Path(folder)) if user.exists())


def copy_users(source: AnyPath, target: Path) -> None:
    """Copy the list of users from one prepared folder to another that holds the same data."""
    for user in users_of(source):
        add_user(target, user)


def join_users(users: Iterable[User]) -> str:
    """Name users in a message.

    Example:
        >>> join_users([User("run", Path("/runs/a")), User("recipe", Path("/b.yaml"))])
        'the run /runs/a and the recipe /b.yaml'
    """
    names = [f"the {user.kind} {user.path}" for user in users]
    if len(names) > _MOST_NAMED:
        names[_MOST_NAMED:] = [f"{len(names) - _MOST_NAMED} more"]
    return ", ".join(names[:-1]) + " and " * (len(names) > 1) + names[-1]


def _listed(folder: Path) -> tuple[User, ...]:
    """Read the list; lines that are damaged are skipped."""
    try:
        lines = (folder / USED_BY_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    found: list[User] = []
    for line in lines:
        with suppress(ValueError, AttributeError, TypeError):
            values = json.loads(line).items()
            found += [User(kind, Path(path)) for kind, path in values if kind in {"run", "recipe"}]
    return tuple(dict.fromkeys(found))

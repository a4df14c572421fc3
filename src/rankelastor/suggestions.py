"""Suggest what a user may have meant by a misspelt name or path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

_AT_MOST = 8
_NEAR = 0.7
"""Least similarity, so that nobody who asks for `gpu` is told to try `cpu`."""


def did_you_mean(given: str, known: Iterable[str], *, quoted: bool = False) -> str:
    """Ask whether the nearest of the known names was meant; empty if none is near.

    Example:
        >>> did_you_mean("patiance", ["seed", "patience"]), did_you_mean("x", ["seed"])
        ('did you mean patience?', '')
    """
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(given.lower(), names, n=1, cutoff=_NEAR)
    if not near:
        return ""
    name = names[near[0]]
    return f"did you mean {name!r}?" if quoted else f"did you mean {name}?"


def what_lies_near(path: Path) -> str:
    """Say which path near a missing one was probably meant, or what its folder holds.

    Example:
        >>> what_lies_near(Path("/nowhere/at/all.yaml"))
        'the folder /nowhere/at does not exist either'
    """
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist either"
    names = sorted(item.name for item in folder.iterdir() if not item.name.startswith("."))
    near = did_you_mean(path.name, names)
    if near:
        return near.replace("did you mean ", f"did you mean {folder}/" if folder != Path() else "did you mean ")
    where = "the current folder" if folder == Path() else str(folder)
    shown = ", ".join(names[:_AT_MOST]) + (", ..." if len(names) > _AT_MOST else "")
    return f"{where} holds {shown or 'nothing'}"

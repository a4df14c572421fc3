"""Extras, the optional dependencies of this package: the line that installs one."""

from __future__ import annotations

import json
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

_PACKAGE = "rankelastor"


def how_to_install(extra: str) -> str:
    """Return the command that installs an extra of this package from where the package itself came.

    From a checkout, also one that is not installed, the command names the checkout, so that it works in any folder.

    Example:
        >>> how_to_install("hub").startswith("pip install ")
        True
    """
    checkout, editable = _checkout()
    if checkout is None:
        return f"pip install {shlex.quote(f'{_PACKAGE}[{extra}]')}"
    return f"pip install {'-e ' if editable else ''}{shlex.quote(f'{checkout}[{extra}]')}"


def _checkout() -> tuple[Path | None, bool]:
    """Find the folder from which the package was installed or is imported, and whether it is used in place."""
    here = Path(__file__).resolve().parents[2]
    if (here / "pyproject.toml").is_file():
        return here, True
    try:
        installed = json.loads(distribution(_PACKAGE).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        return None, False
    address = urlsplit(installed.get("url", ""))
    folder = Path(unquote(address.path))
    if address.scheme == "file" and (folder / "pyproject.toml").is_file():
        return folder, bool(installed.get("dir_info", {}).get("editable", False))
    return None, False

"""Make safe names of files that are named after features."""

from __future__ import annotations

from collections.abc import Collection


class FileNames:
    """Generator of safe and unique file names in one folder, for features of any name.

    Letters, digits, ``_`` and ``-`` are kept; other characters become ``%`` and their bytes in hexadecimal. Names that
    differ only in case get a number, because some file systems ignore case.

    Example:
        >>> names = FileNames(suffix=".npy")
        >>> names.make("a/b"), names.make("site"), names.make("Site")
        ('a%2Fb.npy', 'site.npy', 'Site~2.npy')
    """

    def __init__(self, *, suffix: str) -> None:
        self._suffix = suffix
        self._taken: set[str] = set()

    def make(self, feature: str) -> str:
        """Return a file name for ``feature`` that was not returned before."""
        safe = "".join(_quote(mark) for mark in feature)[:150]
        candidate, number = safe, 1
        while candidate.lower() in self._taken:
            number += 1
            candidate = f"{safe}~{number}"
        self._taken.add(candidate.lower())
        return f"{candidate}{self._suffix}"


def safe_file_names(features: Collection[str], *, suffix: str = ".parquet") -> dict[str, str]:
    """Make a safe file name for each feature, see ``FileNames``.

    Example:
        >>> safe_file_names(["site", "a/b", "Site"])
        {'site': 'site.parquet', 'a/b': 'a%2Fb.parquet', 'Site': 'Site~2.parquet'}
    """
    names = FileNames(suffix=suffix)
    return {feature: names.make(feature) for feature in features}


def _quote(mark: str) -> str:
    if mark.isascii() and (mark.isalnum() or mark in "_-"):
        return mark
    return "".join(f"%{byte:02X}" for byte in mark.encode())

"""Safe names for files that are named after features."""

from __future__ import annotations

from collections.abc import Collection


class FileNames:
    """Gives each feature a safe file name in one folder, whatever its name holds.

    Letters, digits, ``_`` and ``-`` stay; other characters become ``%`` and their bytes in hexadecimal. Names that
    differ only in case get a number, because some disks do not tell them apart.

    Example:
        >>> names = FileNames(suffix=".npy")
        >>> names.of("a/b"), names.of("site"), names.of("Site")
        ('a%2Fb.npy', 'site.npy', 'Site~2.npy')
    """

    def __init__(self, *, suffix: str) -> None:
        self._suffix = suffix
        self._taken: set[str] = set()

    def of(self, feature: str) -> str:
        """Return a name that none before it has."""
        safe = "".join(_quote(mark) for mark in feature)[:150]
        candidate, number = safe, 1
        while candidate.lower() in self._taken:
            number += 1
            candidate = f"{safe}~{number}"
        self._taken.add(candidate.lower())
        return f"{candidate}{self._suffix}"


def safe_file_names(features: Collection[str], *, suffix: str = ".parquet") -> dict[str, str]:
    """A safe file name for each feature, see ``FileNames``.

    Example:
        >>> safe_file_names(["site", "a/b", "Site"])
        {'site': 'site.parquet', 'a/b': 'a%2Fb.parquet', 'Site': 'Site~2.parquet'}
    """
    names = FileNames(suffix=suffix)
    return {feature: names.of(feature) for feature in features}


def _quote(mark: str) -> str:
    if mark.isascii() and (mark.isalnum() or mark in "_-"):
        return mark
    return "".join(f"%{byte:02X}" for byte in mark.encode())

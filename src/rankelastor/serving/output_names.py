"""Choose the format of an output by its name, and the names of the files in an output folder."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal, get_args

from rankelastor.data.raw.contents import Kind
from rankelastor.errors import OUTPUT_FORMAT, SettingsError, StorageError

OutputFormat = Literal["csv", "tsv", "parquet", "feather", "orc"]
"""The formats that are written; ``feather`` is Arrow IPC."""

FORMATS: tuple[OutputFormat, ...] = get_args(OutputFormat)
TEXT_FORMATS = frozenset({"csv", "tsv"})

_BY_ENDING: dict[str, OutputFormat] = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
    ".ipc": "feather",
    ".orc": "orc",
}
_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
_ONLY_READ = (".zip", ".lz4")
_BY_KIND: dict[Kind, OutputFormat] = {
    "parquet": "parquet",
    "arrow_file": "feather",
    "arrow_stream": "feather",
    "orc": "orc",
    "text": "csv",
    "empty": "csv",
}


def format_of(name: str | PurePath, chosen: str | None = None) -> OutputFormat:
    """Tell the format of an output from its name; ``chosen`` is a format that was asked for by name.

    A name without an ending, and a stream, hold CSV.

    Example:
        >>> format_of("scored.tsv.gz"), format_of("scored"), format_of("scored.arrow")
        ('tsv', 'csv', 'feather')

    Raises:
        SettingsError: the format is not known.
        StorageError: the name has an ending that is not written.
    """
    if chosen is not None:
        if chosen not in FORMATS:
            raise SettingsError(f"the output format must be one of {', '.join(FORMATS)}, but {chosen!r} was given")
        return chosen
    ending, is_compressed = _ending(name)
    if not ending:
        return "csv"
    found = _BY_ENDING.get(ending)
    if found is None or (is_compressed and found not in TEXT_FORMATS):
        raise StorageError(
            f"the output must end in one of {', '.join(_BY_ENDING)}, and texts may end in {', '.join(_COMPRESSED)} "
            f"too, but {name} was given; name another, or choose the format with {OUTPUT_FORMAT}",
            python=OUTPUT_FORMAT,
        )
    return found


def has_written_ending(name: str | PurePath) -> bool:
    """Tell whether a name has the ending of a format that is written.

    Example:
        >>> has_written_ending("scored.csv.gz"), has_written_ending("scored")
        (True, False)
    """
    ending, is_compressed = _ending(name)
    found = _BY_ENDING.get(ending)
    return found is not None and (not is_compressed or found in TEXT_FORMATS)


def format_of_table(name: PurePath, kind: Kind) -> OutputFormat:
    """Tell the format of a file in an output folder: by its name, or else what the input file holds."""
    return format_of(name) if has_written_ending(name) else _BY_KIND[kind]


def output_name(name: PurePath, kind: Kind, chosen: OutputFormat | None) -> PurePath:
    """Name a file in an output folder after its input file.

    Args:
        name: path of the input file below its folder.
        kind: what the input file holds.
        chosen: the format that was asked for; None keeps that of the input where it can be written.

    Example:
        >>> [str(output_name(PurePath(name), "text", None)) for name in ("a/part-0.csv", "b.csv.zip", "part-00000")]
        ['a/part-0.csv', 'b.csv', 'part-00000']
        >>> str(output_name(PurePath("b.snappy.parquet"), "parquet", "csv"))
        'b.snappy.csv'
    """
    if chosen is None and (has_written_ending(name) or not name.suffix):
        return name
    while name.suffix.lower() in (*_COMPRESSED, *_ONLY_READ):
        name = name.with_suffix("")
    if chosen is None:
        return name if has_written_ending(name) or not name.suffix else PurePath(f"{name}.{_BY_KIND[kind]}")
    return name.with_suffix(f".{chosen}") if name.suffix.lower() in _BY_ENDING else PurePath(f"{name}.{chosen}")


def _ending(name: str | PurePath) -> tuple[str, bool]:
    """Find the ending of a name in lower case, without that of a compression, and whether it is compressed."""
    path = PurePath(name)
    if path.suffix.lower() not in _COMPRESSED:
        return path.suffix.lower(), False
    return PurePath(path.stem).suffix.lower(), True

"""Folders for the files that a feature reads and writes itself."""

from dataclasses import dataclass
from pathlib import Path

from rankelastor.data.features.file_names import FileNames
from rankelastor.remote.remote_path import AnyPath


@dataclass(frozen=True)
class FeatureOutput:
    """Folders from which a feature reads its own files (pretrained vectors) and to which it writes them.

    ``source`` is the folder that relative paths in the settings start from. ``vectors`` is the folder for vectors,
    created with its first file; ``vector_names`` generates the names of its files.
    """

    source: AnyPath
    vectors: Path
    vector_names: FileNames

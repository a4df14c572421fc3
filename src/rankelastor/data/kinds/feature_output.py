"""Where a feature that brings files of its own reads and writes them."""

from dataclasses import dataclass
from pathlib import Path

from rankelastor.data.features.file_names import FileNames


@dataclass(frozen=True)
class FeatureOutput:
    """Where a feature that brings files of its own finds them and writes them.

    ``source`` is the folder that relative paths in the settings count from. ``vectors`` is the folder for vectors,
    made by whoever writes the first; ``vector_names`` gives files in it their names.
    """

    source: Path
    vectors: Path
    vector_names: FileNames

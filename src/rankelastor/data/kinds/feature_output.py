"""Folders for the files that a feature reads and writes itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.features.extended_vocabulary import kept_ids
from rankelastor.data.features.file_names import FileNames
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath


@dataclass(frozen=True)
class FeatureOutput:
    """Folders from which a feature reads its own files (pretrained vectors) and to which it writes them.

    ``source`` is the folder that relative paths in the settings start from. ``vectors`` is the folder for vectors,
    created with its first file; ``vector_names`` generates the names of its files. ``former`` holds the vectors of the
    days before, float32 (id, dim), with the vocabulary of that time, by feature.
    """

    source: AnyPath
    vectors: Path
    vector_names: FileNames
    former: Mapping[str, tuple[NDArray[np.float32], Vocabulary]] = field(default_factory=dict)

    def keep_former(self, feature: str, vectors: NDArray[np.float32], vocabulary: Vocabulary) -> None:
        """Put the vectors of the days before, where values had one, in place of those that a file gives now.

        Raises:
            DataError: the file gives vectors of another width.
        """
        if feature in self.former:
            before, known = self.former[feature]
            if before.shape[1] != vectors.shape[1]:
                raise DataError(
                    f"the vectors of {feature} must have the width of the days before, {before.shape[1]}, but the file "
                    f"gives {vectors.shape[1]}; give vectors of the former width"
                )
            ids = kept_ids(known, vocabulary)
            had = ids[before[ids].any(axis=1)]
            vectors[had] = before[had]

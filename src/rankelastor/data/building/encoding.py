"""Encode staged parts with the fitted features and write the final shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.building.executors import Executor
from rankelastor.data.building.fitting import FittedFeature
from rankelastor.data.building.row_splits import SplitCodes
from rankelastor.data.building.staging import StagedColumns, StagedPart, group_ranks
from rankelastor.data.encoded_rows import EncodedRows
from rankelastor.data.interner import Interner
from rankelastor.data.shards import ShardWriter
from rankelastor.progress import ProgressListener
from rankelastor.schema import SPLITS, FeatureSchema, SplitName


class StagedEncoder:
    """Encoder of staged columns: map provisional codes to ids by a table, then call ``encode`` of each feature.

    Attributes:
        schema: the features and tasks.
    """

    def __init__(self, schema: FeatureSchema, features: Sequence[FittedFeature], groups: Interner | None) -> None:
        self.schema = schema
        self._features = features
        self._group_of_code = group_ranks(groups) if groups is not None else None

    @property
    def has_group(self) -> bool:
        """Whether rows have a group."""
        return self._group_of_code is not None

    def encode(self, columns: StagedColumns) -> EncodedRows:
        """Encode all rows of a part."""
        encoded = (self._column(columns, index) for index in range(len(self._features)))
        rows = EncodedRows.assemble(self.schema, columns.batch.num_rows, encoded)
        group = None if self._group_of_code is None else self._group_of_code[columns.groups()]
        return replace(rows, labels=columns.labels(), group=group, weight=columns.weights())

    def _column(self, columns: StagedColumns, index: int) -> NDArray[Any]:
        feature, cells = self._features[index], columns.cells(index)
        return feature.spec.encode(cells if feature.id_of_code is None else cells.translate(feature.id_of_code))


def write_splits(
    parts: Sequence[StagedPart],
    splits: SplitCodes,
    encoder: StagedEncoder,
    folder: Path,
    *,
    shard_rows: int,
    progress: ProgressListener,
    executor: Executor,
) -> dict[SplitName, int]:
    """Encode all parts into ``folder/<split>/``; delete each part once it is written.

    Returns:
        The number of shards of each non-empty split.
    """
    sizes = np.bincount(splits, minlength=len(SPLITS))
    has_weight = parts[0].columns().weights() is not None
    writers = {
        code: ShardWriter(
            folder / SPLITS[code],
            encoder.schema,
            num_rows=int(size),
            shard_rows=shard_rows,
            has_group=encoder.has_group,
            has_weight=has_weight,
        )
        for code, size in enumerate(sizes)
        if size
    }
    progress.begin("writing", total=len(splits), unit="rows")
    ends = np.cumsum([part.num_rows for part in parts])
    with_codes = zip(parts, np.split(splits, ends[:-1]), strict=True)
    for part, encoded in zip(parts, executor.map(encode_part, with_codes, encoder), strict=True):
        for code, rows in encoded.items():
            writers[code].add(rows)
        part.file.unlink()
        progress.advance(part.num_rows)
    for writer in writers.values():
        writer.finish()
    progress.end()
    return {SPLITS[code]: writer.num_shards for code, writer in writers.items()}


def encode_part(item: tuple[StagedPart, SplitCodes], encoder: StagedEncoder) -> dict[int, EncodedRows]:
    """Encode the rows of a part, by split."""
    part, codes = item
    everything = encoder.encode(part.columns())
    encoded = {}
    for code in np.flatnonzero(np.bincount(codes)).tolist():
        rows = np.flatnonzero(codes == code)
        encoded[code] = everything if len(rows) == len(codes) else everything.select(rows)
    return encoded

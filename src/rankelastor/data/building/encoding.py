"""Turn staged parts into the final shards, with the fitted features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankelastor.config.fields import HashedField, NumericField, QuantileField, SequenceField
from rankelastor.data.building.field_plan import FieldPlan, PlannedFeature
from rankelastor.data.building.fitting import Fit
from rankelastor.data.building.row_splits import SplitCodes
from rankelastor.data.building.sequences import BLANK_CODE
from rankelastor.data.building.staging import StagedColumns, StagedPart, group_ranks
from rankelastor.data.building.workers import Workers
from rankelastor.data.cells.lists import left_padded
from rankelastor.data.features.quantiles import bucket_ids
from rankelastor.data.features.transform import transform_numbers
from rankelastor.data.interner import Interner
from rankelastor.data.shards import ShardWriter
from rankelastor.progress import ProgressListener
from rankelastor.schema import PADDING_ID, SPLITS, FeatureSchema, SplitName

EncodedRows = tuple[
    NDArray[np.int32], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64] | None, NDArray[np.int32]
]
"""Ids, numbers, labels, groups and sequences of some rows: what a shard takes."""


class StagedEncoder:
    """Encodes staged columns: provisional codes become ids by one table look-up, numbers are transformed."""

    def __init__(
        self, plan: FieldPlan, fit: Fit, interners: dict[str, Interner], groups: Interner | None, workers: Workers
    ) -> None:
        self._plan = plan
        self._fit = fit
        tables = workers.map(lambda feature: _id_of_code(feature, fit, interners), plan.with_vocabulary)
        self._id_of_code = dict(zip((feature.name for feature in plan.with_vocabulary), tables, strict=True))
        self._group_of_code = group_ranks(groups) if groups is not None else None

    @property
    def has_group(self) -> bool:
        """Whether rows have a group."""
        return self._group_of_code is not None

    def categorical(self, columns: StagedColumns) -> NDArray[np.int32]:
        """Ids, int32 (row, categorical feature)."""
        ids = np.empty((columns.batch.num_rows, len(self._plan.categorical)), dtype=np.int32)
        place = 0
        for index, feature in enumerate(self._plan.features):
            match feature.settings:
                case NumericField() | SequenceField():
                    continue
                case HashedField():
                    ids[:, place] = columns.ids(index)
                case QuantileField(blank=blank):
                    edges = np.array(self._fit.edges[feature.name])
                    ids[:, place] = bucket_ids(columns.numbers(index), edges, blank)
                case _:
                    ids[:, place] = self._id_of_code[feature.name][columns.codes(index)]
            place += 1
        return ids

    def sequence(self, columns: StagedColumns) -> NDArray[np.int32]:
        """Ids of all sequence features side by side, padded on the left, int32 (row, position)."""
        padded = [np.empty((columns.batch.num_rows, 0), dtype=np.int32)]
        for index, feature in enumerate(self._plan.features):
            if isinstance(feature.settings, SequenceField):
                codes, offsets = columns.lists(index)
                padded.append(left_padded(self._id_of_code[feature.name][codes], offsets, feature.settings.max_length))
        return np.concatenate(padded, axis=1)

    def numeric(self, columns: StagedColumns) -> NDArray[np.float32]:
        """Transformed numbers, float32 (row, numeric feature)."""
        numbers = np.empty((columns.batch.num_rows, len(self._plan.numeric)), dtype=np.float32)
        place = 0
        for index, feature in enumerate(self._plan.features):
            if isinstance(feature.settings, NumericField):
                raw = columns.numbers(index)
                statistics = self._fit.statistics[feature.name]
                numbers[:, place] = transform_numbers(raw, feature.settings.transform, statistics)
                place += 1
        return numbers

    def group(self, columns: StagedColumns) -> NDArray[np.int64] | None:
        """Final group numbers, int64 (row,), if there is a group."""
        return None if self._group_of_code is None else self._group_of_code[columns.groups()]


def _id_of_code(feature: PlannedFeature, fit: Fit, interners: dict[str, Interner]) -> NDArray[np.int32]:
    assert feature.vocabulary is not None
    ids = fit.vocabularies[feature.name].ids_of_codes(interners[feature.vocabulary])
    # Codes of elements are one higher than the dictionary's.
    return np.insert(ids, BLANK_CODE, PADDING_ID) if isinstance(feature.settings, SequenceField) else ids


def write_splits(
    parts: Sequence[StagedPart],
    splits: SplitCodes,
    encoder: StagedEncoder,
    schema: FeatureSchema,
    folder: Path,
    *,
    shard_rows: int,
    progress: ProgressListener,
    workers: Workers,
) -> dict[SplitName, int]:
    """Encode all parts into ``folder/<split>/``; each part is deleted when done.

    Returns:
        The number of shards of each split that has rows.
    """
    sizes = np.bincount(splits, minlength=len(SPLITS))
    writers = {
        code: ShardWriter(
            folder / SPLITS[code], schema, num_rows=int(size), shard_rows=shard_rows, has_group=encoder.has_group
        )
        for code, size in enumerate(sizes)
        if size
    }
    progress.begin("writing", total=len(splits), unit="rows")
    ends = np.cumsum([part.num_rows for part in parts])
    of_parts = zip(parts, np.split(splits, ends[:-1]), strict=True)
    for part, encoded in zip(parts, workers.map(lambda item: _encode(*item, encoder), of_parts), strict=True):
        for code, rows in encoded.items():
            writers[code].add(*rows)
        part.file.unlink()
        progress.advance(part.num_rows)
    for writer in writers.values():
        writer.finish()
    progress.end()
    return {SPLITS[code]: writer.num_shards for code, writer in writers.items()}


def _encode(part: StagedPart, codes: SplitCodes, encoder: StagedEncoder) -> dict[int, EncodedRows]:
    """The rows of a part by split."""
    columns = part.columns()
    everything = (
        encoder.categorical(columns),
        encoder.numeric(columns),
        columns.labels(),
        encoder.group(columns),
        encoder.sequence(columns),
    )
    encoded = {}
    for code in np.flatnonzero(np.bincount(codes)).tolist():
        rows = np.flatnonzero(codes == code)
        encoded[code] = everything if len(rows) == len(codes) else _taken(everything, rows)
    return encoded


def _taken(encoded: EncodedRows, rows: NDArray[np.int64]) -> EncodedRows:
    categorical, numeric, label, group, sequence = encoded
    return categorical[rows], numeric[rows], label[rows], None if group is None else group[rows], sequence[rows]

"""Count a prepared folder for a report, in one pass over its memory-mapped shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.kinds.spec import NumberMeaning
from rankelastor.data.prepared import PreparedDataset, PreparedSplit
from rankelastor.data.shards import Shard
from rankelastor.data_report.counts import IdCounts, NumberMoments, SequenceCounts, WeightSums, sample_rows
from rankelastor.progress import ProgressListener

SAMPLE_ROWS = 200_000
"""Largest number of sampled rows per split, for quantiles and the AUC of numbers."""

Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class SplitCounts:
    """The counts of one split.

    ``ids`` and ``sequences`` are by feature, ``moments`` by numeric feature. ``sample`` float32 (row, numeric feature)
    and ``sample_label`` float32 (row,) hold the sampled rows. ``weights`` stays empty for data without weights.
    """

    labels: IdCounts
    weights: WeightSums
    ids: dict[str, IdCounts]
    sequences: dict[str, SequenceCounts]
    moments: dict[str, NumberMoments]
    sample: Numbers
    sample_label: Numbers


def read_split(
    dataset: PreparedDataset, split: PreparedSplit, numbers: Mapping[str, NumberMeaning], progress: ProgressListener
) -> SplitCounts:
    """Count a split, shard by shard; ``numbers`` maps numeric features to the meaning of their numbers."""
    schema = dataset.schema
    counts = SplitCounts(
        labels=IdCounts(2),
        weights=WeightSums(),
        ids={feature.name: IdCounts(feature.num_ids) for feature in schema.categorical},
        sequences={feature.name: SequenceCounts(feature.num_ids, feature.max_length) for feature in schema.sequence},
        moments={name: NumberMoments(meaning.blank) for name, meaning in numbers.items()},
        sample=np.empty((min(split.num_rows, SAMPLE_ROWS), len(schema.numeric)), dtype=np.float32),
        sample_label=np.empty(min(split.num_rows, SAMPLE_ROWS), dtype=np.float32),
    )
    rows, start = sample_rows(split.num_rows, SAMPLE_ROWS), 0
    for shard in split.shards:
        first, last = np.searchsorted(rows, [start, start + shard.num_rows])
        counts.sample[first:last] = shard.numeric[rows[first:last] - start]
        counts.sample_label[first:last] = shard.labels[rows[first:last] - start, 0]
        _add(counts, dataset, shard)
        start += shard.num_rows
        progress.advance(shard.num_rows)
    return counts


def _add(counts: SplitCounts, dataset: PreparedDataset, shard: Shard) -> None:
    clicked = shard.labels[:, 0] > 0
    counts.labels.add(clicked.astype(np.int32), clicked)
    if shard.weight is not None:
        counts.weights.add(shard.weight, clicked)
    # Columns of the row-major shard are strided: one copy to contiguous columns is faster than many strided reads.
    for feature, ids in zip(dataset.schema.categorical, np.ascontiguousarray(shard.categorical.T), strict=True):
        counts.ids[feature.name].add(ids, clicked)
    for number, values in zip(dataset.schema.numeric, np.ascontiguousarray(shard.numeric.T), strict=True):
        counts.moments[number.name].add(values)
    start = 0
    for sequence in dataset.schema.sequence:
        assert shard.sequence is not None, "the schema has sequence features"
        counts.sequences[sequence.name].add(shard.sequence[:, start : start + sequence.max_length], clicked)
        start += sequence.max_length

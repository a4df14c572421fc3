"""Make the report on a prepared folder: one pass over its shards, then figures and notices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.spec import FeatureSpec, NumberMeaning
from rankelastor.data.manifest import read_vocabulary
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.unseen import list_shared_with_blanks
from rankelastor.data_report import notices
from rankelastor.data_report.counts import WeightSums
from rankelastor.data_report.features import id_figures, number_figures
from rankelastor.data_report.figures import (
    DataReport,
    IdFigures,
    Notice,
    NumberFigures,
    SplitFigures,
    WeightFigures,
)
from rankelastor.data_report.reading import SplitCounts, read_split
from rankelastor.data_report.twins import twins
from rankelastor.progress import ProgressListener, SilentProgress


def report_on(dataset: PreparedDataset, *, top: int = 5, progress: ProgressListener | None = None) -> DataReport:
    """Compute the figures of a prepared folder and notices about likely problems.

    Memory holds 8 bytes per id and split, one shard, and a sample of 200,000 rows per split.

    Args:
        dataset: the prepared folder.
        top: number of most frequent values of each feature to keep.
        progress: receives the number of rows read.

    Raises:
        DataError: a shard or a vocabulary is missing or damaged.
    """
    meanings = {spec.name: spec.meaning(_vocabulary(dataset, spec)) for spec in dataset.manifest.features}
    number_meanings = {name: meaning for name, meaning in meanings.items() if isinstance(meaning, NumberMeaning)}
    counts = _read(dataset, number_meanings, progress or SilentProgress())
    splits = _split_figures(dataset, counts)
    held_out = next((split for split in ("valid", "test") if split in counts), None)
    numeric = [feature.name for feature in dataset.schema.numeric]
    tells_unseen = set(dataset.manifest.vocabulary_files).difference(list_shared_with_blanks(dataset.manifest))
    ids, numbers = {}, {}
    for spec in dataset.manifest.features:
        meaning = meanings[spec.name]
        if isinstance(meaning, NumberMeaning):
            numbers[spec.name] = number_figures(spec.name, meaning, numeric.index(spec.name), counts, held_out=held_out)
        else:
            ids[spec.name] = id_figures(
                spec, meaning, counts, tells_unseen=spec.name in tells_unseen, held_out=held_out, top=top
            )
    found = _notices(dataset, counts, splits, ids, numbers, held_out=held_out)
    return DataReport(
        folder=str(dataset.place),
        label=dataset.schema.tasks[0],
        splits=splits,
        ids=ids,
        numbers=numbers,
        notices=notices.sort_notices(found, dataset.schema.names),
    )


def _vocabulary(dataset: PreparedDataset, spec: FeatureSpec) -> Vocabulary | None:
    file = dataset.manifest.vocabulary_files.get(spec.name)
    return None if file is None else read_vocabulary(dataset.place, file)


def _read(
    dataset: PreparedDataset, numbers: Mapping[str, NumberMeaning], progress: ProgressListener
) -> dict[str, SplitCounts]:
    total = sum(summary.num_rows for summary in dataset.manifest.splits.values())
    progress.begin("reading", total=total, unit="rows")
    counts: dict[str, SplitCounts] = {
        name: read_split(dataset, dataset.split(name), numbers, progress) for name in dataset.splits
    }
    progress.end()
    return counts


def _split_figures(dataset: PreparedDataset, counts: Mapping[str, SplitCounts]) -> dict[str, SplitFigures]:
    total = sum(split.labels.num_rows for split in counts.values())
    figures = {}
    for name in dataset.splits:
        labels, summary = counts[name].labels, dataset.manifest.splits[name]
        figures[str(name)] = SplitFigures(
            labels.num_rows,
            labels.num_rows / total,
            labels.share(1),
            summary.label_means,
            _weight_figures(dataset.manifest.weight, counts[name].weights),
        )
    return figures


def _weight_figures(column: str | None, sums: WeightSums) -> WeightFigures | None:
    if column is None or not sums.num_rows:
        return None
    return WeightFigures(
        column=column,
        mean=sums.total / sums.num_rows,
        minimum=sums.minimum,
        maximum=sums.maximum,
        zero_share=sums.num_zero / sums.num_rows,
        label_rate=sums.positive / sums.total if sums.total else 0.0,
    )


def _notices(
    dataset: PreparedDataset,
    counts: Mapping[str, SplitCounts],
    splits: Mapping[str, SplitFigures],
    ids: Mapping[str, IdFigures],
    numbers: Mapping[str, NumberFigures],
    *,
    held_out: str | None,
) -> list[Notice]:
    found = list(notices.label_notices({name: split.labels for name, split in counts.items()}))
    if held_out is not None:
        auc_alone = {name: figures.auc_alone for name, figures in ids.items()}
        auc_alone |= {name: figures.auc_alone for name, figures in numbers.items()}
        found += notices.leak_notices(auc_alone, held_out, counts[held_out].labels)
    for name, figures in ids.items():
        found += notices.id_notices(name, figures)
    for name, numeric_figures in numbers.items():
        found += notices.number_notices(name, numeric_figures, splits)
    return [*found, *notices.twin_notices([*twins(dataset, counts["train"].ids), *_same_numbers(dataset, counts)])]


def _same_numbers(dataset: PreparedDataset, counts: Mapping[str, SplitCounts]) -> list[tuple[str, str]]:
    """Find pairs of numeric features that are not constant and equal in every sampled train row."""
    sample, names = counts["train"].sample, [feature.name for feature in dataset.schema.numeric]
    by_column: dict[bytes, list[str]] = {}
    for name, column in zip(names, sample.T, strict=True):
        if np.ptp(column) > 0:
            by_column.setdefault(column.tobytes(), []).append(name)
    return [(same[0], other) for same in by_column.values() for other in same[1:]]

"""The figures of each feature, from the counts of all splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from rankelastor.data.cells.texts import BLANK
from rankelastor.data.features.specs import CategoricalSpec, HashedSpec, IdSpec, NumericSpec, QuantileSpec, SequenceSpec
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.manifest import VOCABULARY_FOLDER
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.unseen import shared_with_blanks
from rankelastor.data_report.counts import IdCounts
from rankelastor.data_report.figures import IdFigures, LengthFigures, NumberFigures, ValueFigures
from rankelastor.data_report.leaks import auc_of_ids, auc_of_numbers, auc_of_places
from rankelastor.data_report.reading import SplitCounts
from rankelastor.schema import PADDING_ID

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)

Splits = Mapping[str, SplitCounts]
TextOfId = Callable[[int], str]


def id_figures(
    dataset: PreparedDataset, spec: IdSpec | SequenceSpec, splits: Splits, *, judged: str | None, top: int
) -> IdFigures:
    """Figures of a feature of ids; ``judged`` names the split that ``auc_alone`` is measured on."""
    counts = {split: _counts_of(spec, of_split) for split, of_split in splits.items()}
    vocabulary = _vocabulary(dataset, spec)
    train = counts["train"]
    known = train.rows[1:-1]
    return IdFigures(
        kind=spec.kind,
        num_distinct=int((known > 0).sum()),
        unseen_share=_unseen_share(dataset, spec, counts),
        blank_share=_blank_share(spec, vocabulary, counts),
        once_share=int((known == 1).sum()) / max(train.num_rows, 1),
        auc_alone=_auc_alone(spec, splits, judged),
        most_frequent=_most_frequent(train, _texts(spec, vocabulary), top),
        lengths=_lengths(splits["train"].sequences[spec.name].lengths) if isinstance(spec, SequenceSpec) else None,
    )


def number_figures(spec: NumericSpec, place: int, splits: Splits, *, judged: str | None) -> NumberFigures:
    """Figures of a numeric feature, which is column ``place`` of ``Batch.numeric``."""
    moments = splits["train"].moments[spec.name]
    auc_alone = None
    if judged is not None:
        auc_alone = auc_of_numbers(splits[judged].sample_label, splits[judged].sample[:, place])
    quantiles = np.quantile(splits["train"].sample[:, place], QUANTILES)
    return NumberFigures(
        transform=spec.transform,
        mean=moments.mean,
        standard_deviation=moments.standard_deviation,
        minimum=moments.minimum,
        maximum=moments.maximum,
        quantiles={str(share): float(value) for share, value in zip(QUANTILES, quantiles, strict=True)},
        at_blank_share=None if spec.blank is None else moments.num_at_blank / moments.num_rows,
        means={split: of.moments[spec.name].mean for split, of in splits.items()},
        auc_alone=auc_alone,
    )


def _counts_of(spec: IdSpec | SequenceSpec, split: SplitCounts) -> IdCounts:
    return split.sequences[spec.name].elements if isinstance(spec, SequenceSpec) else split.ids[spec.name]


def _auc_alone(spec: IdSpec | SequenceSpec, splits: Splits, judged: str | None) -> float | None:
    if judged is None:
        return None
    if isinstance(spec, SequenceSpec):
        return auc_of_places(splits[judged].sequences[spec.name].lengths)
    return auc_of_ids(splits["train"].ids[spec.name], splits[judged].ids[spec.name])


def _lengths(rows: IdCounts) -> LengthFigures:
    lengths = np.arange(len(rows.rows))
    return LengthFigures(
        mean=float((lengths * rows.rows).sum() / rows.num_rows),
        maximum=int(lengths[rows.rows > 0].max()),
        empty_share=rows.share(0),
    )


def _vocabulary(dataset: PreparedDataset, spec: IdSpec | SequenceSpec) -> Vocabulary | None:
    if isinstance(spec, HashedSpec | QuantileSpec):
        return None
    return Vocabulary.read(dataset.folder / VOCABULARY_FOLDER / spec.vocabulary, blank=spec.blank)


def _unseen_share(
    dataset: PreparedDataset, spec: IdSpec | SequenceSpec, counts: Mapping[str, IdCounts]
) -> dict[str, float] | None:
    """None where nothing is unseen (no vocabulary), and where blanks have the same id."""
    if isinstance(spec, HashedSpec | QuantileSpec) or spec.name in shared_with_blanks(dataset.manifest):
        return None
    return {split: of.share(-1) for split, of in counts.items()}


def _blank_share(
    spec: IdSpec | SequenceSpec, vocabulary: Vocabulary | None, counts: Mapping[str, IdCounts]
) -> dict[str, float] | None:
    """None where blanks share an id with other values, and for sequences, whose blank elements are padding."""
    if isinstance(spec, SequenceSpec) or spec.blank == "out_of_vocabulary":
        return None
    if spec.blank == "padding":
        return {split: of.share(PADDING_ID) for split, of in counts.items()}
    if isinstance(spec, QuantileSpec):
        return {split: of.share(len(spec.edges) + 2) for split, of in counts.items()}
    if vocabulary is None:
        return None
    found = (vocabulary.values == BLANK).arg_max() if BLANK in vocabulary.values else None
    if found is None and isinstance(spec, CategoricalSpec) and spec.min_count > 1:
        return None  # too few in train for an id of their own
    return {split: 0.0 if found is None else of.share(found + 1) for split, of in counts.items()}


def _most_frequent(train: IdCounts, text_of: TextOfId, top: int) -> tuple[ValueFigures, ...]:
    held = np.flatnonzero(train.rows)
    order = np.argsort(-train.rows[held].astype(np.int64), kind="stable")[:top]
    return tuple(_value(train, int(index), text_of) for index in held[order])


def _value(train: IdCounts, index: int, text_of: TextOfId) -> ValueFigures:
    figures = train.share(index), int(train.clicks[index]) / int(train.rows[index])
    if index == PADDING_ID:
        return ValueFigures("padding", None, *figures)
    if index == len(train.rows) - 1:
        return ValueFigures("out_of_vocabulary", None, *figures)
    return ValueFigures("value", text_of(index), *figures)


def _texts(spec: IdSpec | SequenceSpec, vocabulary: Vocabulary | None) -> TextOfId:
    """What to call each known id: its value, its range of numbers, or the number of its hash bucket."""
    if isinstance(spec, QuantileSpec):
        return lambda index: _range(spec.edges, index)
    if vocabulary is None:
        return lambda index: f"bucket {index}"
    values: pl.Series = vocabulary.values
    return lambda index: str(values[index - 1])


def _range(edges: tuple[float, ...], index: int) -> str:
    """The numbers of a bucket: its lower edge belongs to it."""
    if index == len(edges) + 2:
        return BLANK
    lower = f"{edges[index - 2]:g} <= " if index > 1 else ""
    upper = f" < {edges[index - 1]:g}" if index <= len(edges) else ""
    return f"{lower}x{upper}"

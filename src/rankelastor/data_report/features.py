"""Compute the figures of each feature from the counts of all splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning, NumberMeaning
from rankelastor.data_report.counts import IdCounts
from rankelastor.data_report.figures import IdFigures, LengthFigures, NumberFigures, ValueFigures
from rankelastor.data_report.leaks import auc_of_ids, auc_of_numbers, auc_of_places
from rankelastor.data_report.reading import SplitCounts
from rankelastor.schema import PADDING_ID, NumericFeature, SequenceFeature

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)

Splits = Mapping[str, SplitCounts]
TextOfId = Callable[[int], str]


def id_figures(
    spec: FeatureSpec,
    meaning: IdMeaning,
    splits: Splits,
    *,
    tells_unseen: bool,
    held_out: str | None,
    top: int,
) -> IdFigures:
    """Compute the figures of a feature of ids.

    Args:
        spec: the feature.
        meaning: what its ids stand for.
        splits: the counts, by split.
        tells_unseen: whether the out-of-vocabulary id means that a value is unseen.
        held_out: the split on which ``auc_alone`` is measured; None without one.
        top: number of most frequent values to keep.
    """
    is_list = isinstance(spec.feature, SequenceFeature)
    counts = {split: _counts_of(spec.name, split_counts) for split, split_counts in splits.items()}
    train = counts["train"]
    unseen_id = _unseen_id(spec)
    known = np.delete(train.rows, [PADDING_ID, unseen_id])
    return IdFigures(
        kind=spec.kind,
        num_distinct=int((known > 0).sum()),
        unseen_share={split: count.share(unseen_id) for split, count in counts.items()} if tells_unseen else None,
        blank_share=_blank_share(meaning.blank_ids, counts),
        once_share=int((known == 1).sum()) / max(train.num_rows, 1),
        auc_alone=_auc_alone(spec.name, splits, held_out),
        most_frequent=_most_frequent(train, meaning.text_of, top, unseen_id=unseen_id),
        lengths=_lengths(splits["train"].sequences[spec.name].lengths) if is_list else None,
    )


def number_figures(
    name: str, meaning: NumberMeaning, place: int, splits: Splits, *, held_out: str | None
) -> NumberFigures:
    """Compute the figures of the numeric feature in column ``place`` of ``Batch.numeric``."""
    moments = splits["train"].moments[name]
    auc_alone = None
    if held_out is not None:
        auc_alone = auc_of_numbers(splits[held_out].sample_label, splits[held_out].sample[:, place])
    quantiles = np.quantile(splits["train"].sample[:, place], QUANTILES)
    return NumberFigures(
        transform=meaning.transform,
        mean=moments.mean,
        standard_deviation=moments.standard_deviation,
        minimum=moments.minimum,
        maximum=moments.maximum,
        quantiles={str(share): float(value) for share, value in zip(QUANTILES, quantiles, strict=True)},
        at_blank_share=None if meaning.blank is None else moments.num_at_blank / moments.num_rows,
        means={split: count.moments[name].mean for split, count in splits.items()},
        auc_alone=auc_alone,
    )


def _unseen_id(spec: FeatureSpec) -> int:
    feature = spec.feature
    assert not isinstance(feature, NumericFeature), "a feature of ids"
    return feature.out_of_vocabulary_id


def _counts_of(name: str, split: SplitCounts) -> IdCounts:
    return split.sequences[name].elements if name in split.sequences else split.ids[name]


def _auc_alone(name: str, splits: Splits, held_out: str | None) -> float | None:
    if held_out is None:
        return None
    if name in splits[held_out].sequences:
        return auc_of_places(splits[held_out].sequences[name].lengths)
    return auc_of_ids(splits["train"].ids[name], splits[held_out].ids[name])


def _lengths(rows: IdCounts) -> LengthFigures:
    lengths = np.arange(len(rows.rows))
    return LengthFigures(
        mean=float((lengths * rows.rows).sum() / rows.num_rows),
        maximum=int(lengths[rows.rows > 0].max()),
        empty_share=rows.share(0),
    )


def _blank_share(blank_ids: tuple[int, ...] | None, counts: Mapping[str, IdCounts]) -> dict[str, float] | None:
    """Compute the share of blanks by split; None if blanks cannot be told from other values."""
    if blank_ids is None:
        return None
    return {split: sum((count.share(index) for index in blank_ids), 0.0) for split, count in counts.items()}


def _most_frequent(train: IdCounts, text_of: TextOfId, top: int, *, unseen_id: int) -> tuple[ValueFigures, ...]:
    held = np.flatnonzero(train.rows)
    order = np.argsort(-train.rows[held].astype(np.int64), kind="stable")[:top]
    return tuple(_value(train, int(index), text_of, unseen_id=unseen_id) for index in held[order])


def _value(train: IdCounts, index: int, text_of: TextOfId, *, unseen_id: int) -> ValueFigures:
    figures = train.share(index), int(train.clicks[index]) / int(train.rows[index])
    if index == PADDING_ID:
        return ValueFigures("padding", None, *figures)
    if index == unseen_id:
        return ValueFigures("out_of_vocabulary", None, *figures)
    return ValueFigures("value", text_of(index), *figures)

"""The figures of each feature, from the counts of all splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning, NumberMeaning
from rankelastor.data_report.counts import IdCounts
from rankelastor.data_report.figures import IdFigures, LengthFigures, NumberFigures, ValueFigures
from rankelastor.data_report.leaks import auc_of_ids, auc_of_numbers, auc_of_places
from rankelastor.data_report.reading import SplitCounts
from rankelastor.schema import PADDING_ID, SequenceFeature

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)

Splits = Mapping[str, SplitCounts]
TextOfId = Callable[[int], str]


def id_figures(
    spec: FeatureSpec,
    meaning: IdMeaning,
    splits: Splits,
    *,
    tells_unseen: bool,
    judged: str | None,
    top: int,
) -> IdFigures:
    """Figures of a feature of ids.

    Args:
        spec: the feature.
        meaning: what its ids stand for.
        splits: the counts, by split.
        tells_unseen: whether the out-of-vocabulary id says that a value is unseen.
        judged: the split that ``auc_alone`` is measured on.
        top: how many frequent values to keep.
    """
    is_list = isinstance(spec.feature, SequenceFeature)
    counts = {split: _counts_of(spec.name, of_split) for split, of_split in splits.items()}
    train = counts["train"]
    known = train.rows[1:-1]
    return IdFigures(
        kind=spec.kind,
        num_distinct=int((known > 0).sum()),
        unseen_share={split: of.share(-1) for split, of in counts.items()} if tells_unseen else None,
        blank_share=_blank_share(meaning.blank_ids, counts),
        once_share=int((known == 1).sum()) / max(train.num_rows, 1),
        auc_alone=_auc_alone(spec.name, splits, judged),
        most_frequent=_most_frequent(train, meaning.text_of, top),
        lengths=_lengths(splits["train"].sequences[spec.name].lengths) if is_list else None,
    )


def number_figures(
    name: str, meaning: NumberMeaning, place: int, splits: Splits, *, judged: str | None
) -> NumberFigures:
    """Figures of a numeric feature, which is column ``place`` of ``Batch.numeric``."""
    moments = splits["train"].moments[name]
    auc_alone = None
    if judged is not None:
        auc_alone = auc_of_numbers(splits[judged].sample_label, splits[judged].sample[:, place])
    quantiles = np.quantile(splits["train"].sample[:, place], QUANTILES)
    return NumberFigures(
        transform=meaning.transform,
        mean=moments.mean,
        standard_deviation=moments.standard_deviation,
        minimum=moments.minimum,
        maximum=moments.maximum,
        quantiles={str(share): float(value) for share, value in zip(QUANTILES, quantiles, strict=True)},
        at_blank_share=None if meaning.blank is None else moments.num_at_blank / moments.num_rows,
        means={split: of.moments[name].mean for split, of in splits.items()},
        auc_alone=auc_alone,
    )


def _counts_of(name: str, split: SplitCounts) -> IdCounts:
    return split.sequences[name].elements if name in split.sequences else split.ids[name]


def _auc_alone(name: str, splits: Splits, judged: str | None) -> float | None:
    if judged is None:
        return None
    if name in splits[judged].sequences:
        return auc_of_places(splits[judged].sequences[name].lengths)
    return auc_of_ids(splits["train"].ids[name], splits[judged].ids[name])


def _lengths(rows: IdCounts) -> LengthFigures:
    lengths = np.arange(len(rows.rows))
    return LengthFigures(
        mean=float((lengths * rows.rows).sum() / rows.num_rows),
        maximum=int(lengths[rows.rows > 0].max()),
        empty_share=rows.share(0),
    )


def _blank_share(blank_ids: tuple[int, ...] | None, counts: Mapping[str, IdCounts]) -> dict[str, float] | None:
    """The share of blanks by split; None where blanks cannot be told from other values."""
    if blank_ids is None:
        return None
    return {split: sum((of.share(index) for index in blank_ids), 0.0) for split, of in counts.items()}


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

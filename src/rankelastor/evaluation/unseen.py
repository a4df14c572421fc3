"""Count values of a split that training has not seen, and measure how well the examples with such values are ranked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.manifest import Manifest
from rankelastor.data.unseen import UnseenIds
from rankelastor.evaluation.scoring import Predictions
from rankelastor.metrics.report import DECIMALS
from rankelastor.runs.result import UnseenFigures
from rankelastor.schema import PADDING_ID, Batch


@dataclass(frozen=True)
class UnseenValues:
    """Values of some examples that training has not seen.

    ``share_by_field``: share of each field's values that are unseen; padding of a sequence is not counted as a value.
    ``rows``: True for examples with at least one unseen value.
    ``left_out``: fields whose blanks are out of vocabulary, too, so that unseen values cannot be distinguished.
    ``num_values``: number of values of each field.
    """

    share_by_field: dict[str, float]
    rows: Bool[ndarray, " example"]
    left_out: tuple[str, ...] = ()
    num_values: Mapping[str, int] = field(default_factory=dict)

    def report(self, predictions: Predictions) -> UnseenFigures:
        """Compute the figures of ``result.json``, with the weighted AUC of the examples that have unseen values.

        With several tasks ``auc`` is the mean over them, and ``tasks`` holds the AUC of each, see ``Metrics.as_dict``.
        It is None if those examples have one label only.

        Args:
            predictions: predictions for the same examples in the same order.
        """
        num_rows = int(self.rows.sum())
        figures = predictions.where(self.rows).metrics(["auc"]).as_dict()
        return UnseenFigures(
            num_examples=num_rows,
            share_of_examples=round(num_rows / len(self.rows), DECIMALS),
            auc=figures.get("auc"),
            tasks=figures.get("tasks"),
            share_by_field={name: round(share, DECIMALS) for name, share in self.share_by_field.items()},
            fields_left_out=self.left_out,
        )


def count_unseen(loader: BatchLoader, manifest: Manifest) -> UnseenValues:
    """Count the unseen values in all examples of a loader.

    Args:
        loader: the examples, in the order in which they are scored.
        manifest: manifest of the prepared data; its vocabularies define which values training has seen.
    """
    counter = UnseenCounter(manifest)
    for batch in loader.epoch():
        counter.add(batch)
    return counter.total()


class UnseenCounter:
    """A counter of values that training has not seen, batch by batch.

    Fields without an out-of-vocabulary id (numbers, hashed values) are left out, and so are fields whose blanks are
    out of vocabulary.

    Args:
        manifest: manifest of the prepared data or of a run.
        keep_rows: whether to remember which rows hold an unseen value, at 1 byte per row; otherwise ``total().rows`` is
            empty.
    """

    def __init__(self, manifest: Manifest, *, keep_rows: bool = True) -> None:
        self._keep_rows = keep_rows
        schema, ids = manifest.feature_schema, UnseenIds.from_manifest(manifest)
        self._names = [feature.name for feature in schema.with_ids]
        self._has_unseen = np.concatenate([ids.categorical, ids.sequence]) >= 0
        self._left_out = ids.shared_with_blanks
        self._num_categorical = len(schema.categorical)
        widths = np.array([1] * self._num_categorical + [feature.max_length for feature in schema.sequence], dtype=int)
        self._ids = np.concatenate([ids.categorical, ids.sequence]).repeat(widths)
        self._starts = np.cumsum(widths) - widths
        self._unseen = np.zeros(len(self._names), dtype=np.int64)
        self._values = np.zeros(len(self._names), dtype=np.int64)
        self._rows: list[Bool[ndarray, " example"]] = []

    def add(self, batch: Batch) -> dict[str, int]:
        """Count the values of a batch; return the first row that holds an unseen value, by field."""
        ids = batch.categorical.numpy()
        if batch.sequence is not None:
            ids = np.concatenate([ids, batch.sequence.numpy()], axis=1)
        is_unseen = ids == self._ids
        if self._keep_rows:
            self._rows.append(is_unseen.any(axis=1))
        if not self._names or not len(ids):
            return {}
        is_value = ids != PADDING_ID
        is_value[:, : self._num_categorical] = True  # a blank category has the padding id and counts as a value
        self._unseen += np.add.reduceat(is_unseen.sum(axis=0), self._starts)
        self._values += np.add.reduceat(is_value.sum(axis=0), self._starts)
        return self._first_rows(is_unseen)

    def _first_rows(self, is_unseen: Bool[ndarray, "row position"]) -> dict[str, int]:
        columns = np.split(is_unseen, self._starts[1:], axis=1)
        return {
            name: int(column.any(axis=1).argmax())
            for name, column in zip(self._names, columns, strict=True)
            if column.any()
        }

    def total(self) -> UnseenValues:
        """Compute the shares over all batches added."""
        share = self._unseen / np.maximum(self._values, 1)
        by_field = {
            name: float(value) for name, value, has in zip(self._names, share, self._has_unseen, strict=True) if has
        }
        rows = np.concatenate(self._rows) if self._rows else np.zeros(0, dtype=np.bool_)
        counts = {name: int(count) for name, count in zip(self._names, self._values, strict=True) if name in by_field}
        return UnseenValues(by_field, rows, self._left_out, counts)

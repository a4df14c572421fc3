"""Which rows of the former run's tables the rows of a new ranker begin as, where vocabularies were extended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from rankelastor.data.features.extended_vocabulary import kept_ids
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.schema import PADDING_ID, FeatureSchema

TABLE = "embedding.table"
VALUE_RATES = "embedding.value_rates.weights"
_VECTORS = "embedding.pretrained.{}.vectors"


@dataclass(frozen=True)
class CarriedRows:
    """Which row of a former tensor each row of a new one begins as, and which rows stand for new values.

    Attributes:
        source: the former row of each new row; of a new value that of out of vocabulary.
        is_new: whether the row stands for a value that the former run did not know.
    """

    source: Int64[Tensor, " row"]
    is_new: Bool[Tensor, " row"]

    def weights(self, former: Shaped[Tensor, "former ..."]) -> Shaped[Tensor, "row ..."]:
        """Return the values that the rows begin with.

        Example:
            >>> rows = CarriedRows(torch.tensor([0, 1, 2, 2]), torch.tensor([False, False, False, True]))
            >>> rows.weights(torch.tensor([0.0, 5.0, 7.0])).tolist()
            [0.0, 5.0, 7.0, 7.0]
        """
        return former[self.source]

    def moments(self, former: Shaped[Tensor, "former ..."]) -> Shaped[Tensor, "row ..."]:
        """Return the moments that the rows begin with: those of new values are zero.

        Example:
            >>> rows = CarriedRows(torch.tensor([0, 1, 2, 2]), torch.tensor([False, False, False, True]))
            >>> rows.moments(torch.tensor([0.0, 5.0, 7.0])).tolist()
            [0.0, 5.0, 7.0, 0.0]
        """
        found = former[self.source]
        found[self.is_new] = 0
        return found


@dataclass(frozen=True)
class Side:
    """One side of the move from a former ranker to a new one: its layer, features and vocabularies."""

    embedding: FieldEmbedding
    schema: FeatureSchema
    vocabularies: Mapping[str, Vocabulary]


@dataclass(frozen=True)
class RowMoves:
    """The carried rows of each tensor with a row for each id, by its name."""

    by_tensor: Mapping[str, CarriedRows]

    @classmethod
    def between(cls, former: Side, new: Side) -> Self:
        """Find the rows for two rankers of the same features, whose vocabularies may differ.

        Args:
            former: the ranker that was trained.
            new: the ranker that goes on.
        """
        num_former, num_new = len(former.embedding.table), len(new.embedding.table)
        source, is_new = torch.zeros(num_new, dtype=torch.int64), torch.zeros(num_new, dtype=torch.bool)
        moves: dict[str, CarriedRows] = {}
        for place, feature in enumerate(new.schema.with_ids):
            if feature.shares is not None:
                continue
            ids = _carried_ids(former, new, place)
            ours, theirs = new.embedding.row_ranges[place], former.embedding.row_ranges[place]
            if ours is None or theirs is None:
                moves[_VECTORS.format(place)] = ids
                continue
            source[ours] = ids.source[1:] + theirs.start - 1
            is_new[ours] = ids.is_new[1:]
        num_behind = 0 if new.embedding.piecewise is None else new.embedding.piecewise.num_rows
        if num_behind:  # rows of edges, which are the same
            source[num_new - num_behind :] = torch.arange(num_former - num_behind, num_former)
        if new.embedding.value_rates is not None:
            moves[VALUE_RATES] = _carried_values(former, new)
        return cls({TABLE: CarriedRows(source, is_new), **moves})

    @property
    def num_new(self) -> int:
        """Number of embedding rows that stand for new values or are free."""
        return sum(int(rows.is_new.sum()) for name, rows in self.by_tensor.items() if name != VALUE_RATES)


def _carried_values(former: Side, new: Side) -> CarriedRows:
    """Find the carried value rates: features that share embedding rows have rates of their own."""
    places = {feature.name: place for place, feature in enumerate(new.schema.with_ids)}
    found = [_carried_ids(former, new, places[feature.shares or feature.name]) for feature in new.schema.with_ids]
    starts = accumulate([0, *(feature.num_ids for feature in former.schema.with_ids)])
    sources = [ids.source + start for ids, start in zip(found, starts, strict=False)]
    return CarriedRows(torch.cat(sources), torch.cat([ids.is_new for ids in found]))


def _carried_ids(former: Side, new: Side, place: int) -> CarriedRows:
    """Find the carried ids of one feature that owns its rows, padding included."""
    before, now = former.schema.with_ids[place], new.schema.with_ids[place]
    if now.name not in new.vocabularies:
        return CarriedRows(torch.arange(now.num_ids), torch.zeros(now.num_ids, dtype=torch.bool))
    source = torch.full((now.num_ids,), before.out_of_vocabulary_id, dtype=torch.int64)
    is_new = torch.ones(now.num_ids, dtype=torch.bool)
    kept = torch.tensor(kept_ids(former.vocabularies[now.name], new.vocabularies[now.name]), dtype=torch.int64)
    for ids in (kept, torch.tensor([PADDING_ID, now.out_of_vocabulary_id])):
        source[ids], is_new[ids] = ids, False
    return CarriedRows(source, is_new)

"""The interface between data and models: the features of a data set, and the tensors of a batch.

Shape letters used everywhere: ``batch`` examples, ``task`` labels to predict, ``field`` feature columns,
``embedding_dim`` width of the embedding of one field, ``token`` number of tokens, ``dim`` width of a token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from operator import itemgetter
from typing import Literal, Self

import torch
from jaxtyping import Float32, Int64, Integer
from torch import Tensor

PADDING_ID = 0
"""Id 0 of every vocabulary means "no value". Its embedding row is zero and stays zero."""

SplitName = Literal["train", "valid", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "valid", "test")


@dataclass(frozen=True)
class NumericFeature:
    """A feature of one number per example, already transformed (float32).

    ``serving_number`` takes the place of every number when scoring; None: the numbers of the rows are used.
    ``num_edges``: the number is a position among so many edges, k + w between edge k and edge k + 1 (edges are counted
    from 1; 0 is a blank), and its embedding lies between theirs; None: the number scales one vector.
    """

    name: str
    serving_number: float | None = None
    num_edges: int | None = None


@dataclass(frozen=True)
class PretrainedVectors:
    """Pretrained vectors in place of learned embedding rows: their width, and whether training changes them."""

    dim: int
    trained: bool


@dataclass(frozen=True)
class CategoricalFeature:
    """A feature of one id per example.

    ``num_ids`` counts every id that the column may hold: padding (0), the known values, out of vocabulary.
    ``unseen_id`` is that of out of vocabulary where it is not the last one, as after further days; None: the last.
    ``shares`` names the feature whose ids and embedding rows this one uses; None: it has its own.
    ``pretrained`` describes the pretrained vectors that are its embedding rows; None: the rows are learned.
    ``serving_id`` takes the place of every id when scoring; None: the ids of the rows are used.
    ``element_of`` names the sequence whose element it is; None: it is a column of the example itself.
    """

    name: str
    num_ids: int
    shares: str | None = None
    pretrained: PretrainedVectors | None = None
    serving_id: int | None = None
    element_of: str | None = None
    unseen_id: int | None = None

    @property
    def out_of_vocabulary_id(self) -> int:
        """The id of unseen values, if the kind of the feature has one."""
        return self.num_ids - 1 if self.unseen_id is None else self.unseen_id


@dataclass(frozen=True)
class SequenceFeature:
    """A feature of one list of ids per example, cut to the newest ``max_length`` and padded on the left with 0.

    ``num_ids``, ``shares`` and ``unseen_id`` are those of a categorical feature: a history of items shares the rows of
    the item.
    """

    name: str
    num_ids: int
    max_length: int
    shares: str | None = None
    unseen_id: int | None = None

    @property
    def out_of_vocabulary_id(self) -> int:
        """The id of unseen values."""
        return self.num_ids - 1 if self.unseen_id is None else self.unseen_id


Feature = NumericFeature | CategoricalFeature | SequenceFeature


@dataclass(frozen=True)
class FeatureSchema:
    """The features of a prepared data set, in the order in which the settings declare them, and its tasks.

    ``tasks`` names the labels to predict: the columns of ``Batch.labels`` and of a ranker's logits.
    ``sequence_tokens`` names fields that no feature is: the elements of sequences that a sequence layer hands to the
    network one by one, behind the features.

    Example:
        >>> schema = FeatureSchema((CategoricalFeature("site", 12), NumericFeature("age")))
        >>> schema.num_fields, [feature.name for feature in schema.categorical]
        (2, ['site'])
        >>> schema.concatenation_order  # numeric features come first in a batch
        (1, 0)
    """

    features: tuple[Feature, ...]
    tasks: tuple[str, ...] = ("label",)
    sequence_tokens: tuple[str, ...] = ()

    @property
    def num_fields(self) -> int:
        """Number of features of all kinds together, and of the tokens of sequences."""
        return len(self.features) + len(self.sequence_tokens)

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in declared order, then those of the tokens of sequences."""
        return (*(feature.name for feature in self.features), *self.sequence_tokens)

    @property
    def numeric(self) -> tuple[NumericFeature, ...]:
        """The numeric features in declared order: the columns of ``Batch.numeric``."""
        return tuple(feature for feature in self.features if isinstance(feature, NumericFeature))

    @property
    def categorical(self) -> tuple[CategoricalFeature, ...]:
        """The categorical features in declared order: the columns of ``Batch.categorical``."""
        return tuple(feature for feature in self.features if isinstance(feature, CategoricalFeature))

    @property
    def sequence(self) -> tuple[SequenceFeature, ...]:
        """The sequence features in declared order: ``Batch.sequence`` holds their positions side by side."""
        return tuple(feature for feature in self.features if isinstance(feature, SequenceFeature))

    @property
    def served(self) -> tuple[str, ...]:
        """Names of the features that have one fixed value when scoring, such as a position."""
        numbers = [each.name for each in self.numeric if each.serving_number is not None]
        return (*numbers, *(each.name for each in self.categorical if each.serving_id is not None))

    @property
    def with_ids(self) -> tuple[CategoricalFeature | SequenceFeature, ...]:
        """The categorical features, then the sequence features."""
        return (*self.categorical, *self.sequence)

    @property
    def num_positions(self) -> int:
        """Number of columns of ``Batch.sequence``: the lengths of all sequence features together."""
        return sum(feature.max_length for feature in self.sequence)

    @property
    def concatenation_order(self) -> tuple[int, ...]:
        """Index of each declared feature in the concatenation of numeric, categorical and sequence features."""
        concatenated: list[Feature] = [*self.numeric, *self.with_ids]
        return tuple(concatenated.index(feature) for feature in self.features)


@dataclass(frozen=True)
class Batch:
    """Some examples as tensors. ``labels``, ``weight`` and ``group`` are None if the data have none.

    ``labels`` has one column per task. ``weight`` is the weight of each example in loss and metrics.
    ``sequence`` holds the ids of all sequence features side by side, each padded on the left to its ``max_length``;
    it is None if the schema has no sequence feature. ``offset`` is what training adds to the logits in place of what
    the ranker's value rates give for these ids, see ``baseline/value_rates.py``; None outside of training.

    Example:
        >>> batch = Batch(
        ...     categorical=torch.ones(2, 3, dtype=torch.int32), numeric=torch.zeros(2, 0), labels=None, group=None
        ... )
        >>> batch.num_examples
        2
    """

    categorical: Integer[Tensor, "batch categorical"]
    numeric: Float32[Tensor, "batch numeric"]
    labels: Float32[Tensor, "batch task"] | None
    group: Int64[Tensor, " batch"] | None
    sequence: Integer[Tensor, "batch position"] | None = None
    weight: Float32[Tensor, " batch"] | None = None
    offset: Float32[Tensor, "batch task"] | None = None

    @property
    def num_examples(self) -> int:
        """Number of examples."""
        return self.categorical.shape[0]

    def split(self, num_examples: int) -> Iterator[Self]:
        """Split the batch into consecutive parts of at most ``num_examples`` examples.

        Example:
            >>> ids = torch.arange(5, dtype=torch.int32).view(5, 1)
            >>> batch = Batch(categorical=ids, numeric=torch.zeros(5, 0), labels=None, group=None)
            >>> [part.num_examples for part in batch.split(2)]
            [2, 2, 1]
        """
        if 0 < self.num_examples <= num_examples:
            yield self
            return
        for start in range(0, self.num_examples, num_examples):
            yield self._map(itemgetter(slice(start, start + num_examples)))

    def padding(self, num_examples: int) -> Self:
        """Make a batch of the same columns that holds nothing but padding and zeros.

        Example:
            >>> ids = torch.ones(0, 3, dtype=torch.int32)
            >>> Batch(categorical=ids, numeric=torch.zeros(0, 1), labels=None, group=None).padding(2).categorical.shape
            torch.Size([2, 3])
        """
        return self._map(lambda tensor: tensor.new_zeros(num_examples, *tensor.shape[1:]))

    def to(self, device: torch.device) -> Self:
        """Copy the batch to another device; a copy from pinned memory does not block."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """Copy the batch to page-locked memory, from which copies to CUDA run asynchronously."""
        return self._map(lambda tensor: tensor.pin_memory())

    def clone(self) -> Self:
        """Copy the batch to memory of its own on the same device."""
        return self._map(lambda tensor: tensor.clone())

    def _map(self, change: Callable[[Tensor], Tensor]) -> Self:
        present = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: change(tensor) for name, tensor in present.items() if tensor is not None})

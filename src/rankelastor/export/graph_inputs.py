"""The inputs of an exported graph: which there are, what stands in their columns, and made rows for checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rankelastor.schema import Batch, CategoricalFeature, Feature, FeatureSchema, NumericFeature

InputName = Literal["categorical", "numeric", "sequence"]


@dataclass(frozen=True)
class GraphInput:
    """An input of the graph, a matrix with one row per example.

    Attributes:
        name: the name of the tensor in a ``Batch``.
        width: number of columns.
        features: the features in the order of their columns; a sequence has one column for each of its positions.
    """

    name: InputName
    width: int
    features: tuple[str, ...]

    @property
    def dtype(self) -> torch.dtype:
        """The type of the values: ids are int64, numbers float32."""
        return torch.float32 if self.name == "numeric" else torch.int64

    @property
    def type_name(self) -> str:
        """The name of the type in NumPy."""
        return str(self.dtype).removeprefix("torch.")


def inputs_of(schema: FeatureSchema) -> tuple[GraphInput, ...]:
    """List the inputs that a graph of these features has, in their order; those without columns are left out.

    Example:
        >>> schema = FeatureSchema((CategoricalFeature("site", 12), NumericFeature("age")))
        >>> [(each.name, each.features, each.type_name) for each in inputs_of(schema)]
        [('categorical', ('site',), 'int64'), ('numeric', ('age',), 'float32')]
    """
    widths: Mapping[InputName, tuple[int, tuple[Feature, ...]]] = {
        "categorical": (len(schema.categorical), schema.categorical),
        "numeric": (len(schema.numeric), schema.numeric),
        "sequence": (schema.num_positions, schema.sequence),
    }
    return tuple(
        GraphInput(name, width, tuple(feature.name for feature in features))
        for name, (width, features) in widths.items()
        if width
    )


def tensors_of(batch: Batch, inputs: tuple[GraphInput, ...]) -> dict[str, Tensor]:
    """Take the tensors of a batch that are inputs, by name, in the types of the inputs."""
    return {each.name: getattr(batch, each.name).to(each.dtype).contiguous() for each in inputs}


def batch_of(tensors: Mapping[str, Tensor]) -> Batch:
    """Make a batch of the inputs of a graph, of which there is one at least."""
    some = next(iter(tensors.values()))
    return Batch(
        categorical=tensors.get("categorical", some.new_zeros((some.shape[0], 0), dtype=torch.int64)),
        numeric=tensors.get("numeric", some.new_zeros((some.shape[0], 0), dtype=torch.float32)),
        labels=None,
        group=None,
        sequence=tensors.get("sequence"),
    )


def made_rows(schema: FeatureSchema, *, num_rows: int = 100, seed: int = 0) -> Batch:
    """Draw rows of ids and numbers for a check: every id is possible, and numbers are of the size that features have.

    Sequences begin with padding of any length.

    Example:
        >>> schema = FeatureSchema((CategoricalFeature("site", 12), NumericFeature("place", num_edges=3)))
        >>> batch = made_rows(schema)
        >>> int(batch.categorical.max()) < 12, float(batch.numeric.max()) <= 3
        (True, True)
    """
    source = torch.Generator().manual_seed(seed)

    def ids(feature: Feature, width: int) -> Tensor:
        assert not isinstance(feature, NumericFeature), "numbers are no ids"
        found = torch.randint(feature.num_ids, (num_rows, width), generator=source, dtype=torch.int32)
        if isinstance(feature, CategoricalFeature):
            return found
        padding = torch.randint(width + 1, (num_rows, 1), generator=source)
        return found.where(torch.arange(width) >= padding, 0)

    def numbers(feature: NumericFeature) -> Tensor:
        if feature.num_edges is None:
            return torch.randn((num_rows, 1), generator=source)
        return 1 + torch.rand((num_rows, 1), generator=source) * (feature.num_edges - 1)

    def joined(columns: list[Tensor], dtype: torch.dtype) -> Tensor:
        return torch.cat(columns, dim=1) if columns else torch.zeros((num_rows, 0), dtype=dtype)

    sequences = [ids(each, each.max_length) for each in schema.sequence]
    return Batch(
        categorical=joined([ids(each, 1) for each in schema.categorical], torch.int32),
        numeric=joined([numbers(each) for each in schema.numeric], torch.float32),
        labels=None,
        group=None,
        sequence=torch.cat(sequences, dim=1) if sequences else None,
    )

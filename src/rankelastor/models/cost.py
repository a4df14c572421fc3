"""What a ranker costs: parameters and FLOPs an example."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.schema import Batch, FeatureSchema


@dataclass(frozen=True)
class Cost:
    """Parameters by place, and floating-point operations to score one example.

    ``dense_parameters``: everything behind the field embeddings. ``embedding_parameters``: rows and numeric vectors.
    ``flops_per_example``: the matrix products of one forward pass, a multiply-add counted as 2.
    ``training_flops_per_example``: those of a forward and a backward pass, as PyTorch's ``FlopCounterMode`` counts
    them: without the optimiser, the embedding lookups and what is computed value by value.
    """

    dense_parameters: int
    embedding_parameters: int
    flops_per_example: int
    training_flops_per_example: int


def cost_of(settings: RankerSettings, schema: FeatureSchema) -> Cost:
    """Compute the cost of the ranker that these settings give; nothing of its size is allocated.

    Raises:
        SettingsError: the sizes do not go together.
    """
    ranker = meta_ranker(settings, schema)
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        ranker(meta_batch(schema))
    with FlopCounterMode(display=False) as training:
        torch.autograd.backward(ranker(meta_batch(schema)).sum())
    return Cost(
        dense_parameters=ranker.num_dense_parameters,
        embedding_parameters=sum(parameter.numel() for parameter in ranker.embedding.parameters()),
        flops_per_example=forward.get_total_flops(),
        training_flops_per_example=training.get_total_flops(),
    )


def meta_ranker(settings: RankerSettings, schema: FeatureSchema) -> Ranker:
    """Make the ranker without memory for its parameters, in evaluation mode: for shapes and counts."""
    with torch.device("meta"):
        return build_ranker(settings, schema).eval()


def meta_batch(schema: FeatureSchema) -> Batch:
    """Make one example without values."""
    return Batch(
        categorical=torch.empty(1, len(schema.categorical), dtype=torch.int32, device="meta"),
        numeric=torch.empty(1, len(schema.numeric), device="meta"),
        labels=None,
        group=None,
        sequence=torch.empty(1, schema.num_positions, dtype=torch.int32, device="meta") if schema.sequence else None,
    )

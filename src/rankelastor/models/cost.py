"""The cost of a ranker: its parameters and its FLOPs per example."""

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
    """Numbers of parameters, and floating-point operations per example.

    ``dense_parameters``: parameters of the network. ``embedding_parameters``: rows and numeric vectors.
    ``flops_per_example``: matrix products of one forward pass; a multiply-add counts as 2.
    ``training_flops_per_example``: matrix products of a forward and a backward pass, as PyTorch's ``FlopCounterMode``
    counts them: without the optimiser, embedding look-ups and elementwise operations.
    """

    dense_parameters: int
    embedding_parameters: int
    flops_per_example: int
    training_flops_per_example: int


def cost_of(settings: RankerSettings, schema: FeatureSchema) -> Cost:
    """Compute the cost of the ranker with these settings, without allocating its parameters.

    Raises:
        SettingsError: the sizes do not fit each other.
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
    """Make the ranker on the meta device, in evaluation mode, to compute shapes and counts."""
    with torch.device("meta"):
        return build_ranker(settings, schema).eval()


def meta_batch(schema: FeatureSchema, *, num_examples: int = 1) -> Batch:
    """Make a batch on the meta device, which has shapes and no values."""
    positions = (num_examples, schema.num_positions)
    return Batch(
        categorical=torch.empty(num_examples, len(schema.categorical), dtype=torch.int32, device="meta"),
        numeric=torch.empty(num_examples, len(schema.numeric), device="meta"),
        labels=None,
        group=None,
        sequence=torch.empty(positions, dtype=torch.int32, device="meta") if schema.sequence else None,
    )

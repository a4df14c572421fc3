"""The cost of a ranker: its parameters and its FLOPs per example."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rankelastor.models.build import build_ranker
from rankelastor.models.counting_modes import CountedFlops, WithoutInitialValues
from rankelastor.models.ranker import Ranker
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.own_draws import OwnDraws
from rankelastor.schema import Batch, FeatureSchema

_FEW_PARAMETERS = 10_000_000
"""A ranker of so few is counted in memory; its gradients take 40 MB for a moment."""


@dataclass(frozen=True)
class Cost:
    """Numbers of parameters, and floating-point operations per example.

    ``dense_parameters``: parameters of the network. ``embedding_parameters``: rows and numeric vectors.
    ``flops_per_example``: matrix products of one forward pass; a multiply-add counts as 2.
    ``training_flops_per_example``: matrix products of a forward and a backward pass in training mode, with the parts of
    the network that are there only while training, as PyTorch's ``FlopCounterMode`` counts them: without the optimiser,
    embedding look-ups and elementwise operations.
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
    ranker = unfilled_ranker(settings, schema)
    example = blank_batch(ranker, schema)
    with CountedFlops() as forward, torch.no_grad():
        ranker(example)
    _zero(ranker)
    with CountedFlops() as training, OwnDraws(torch.Generator()):
        torch.autograd.backward(ranker.train()(example).sum())
    return Cost(
        dense_parameters=ranker.num_dense_parameters,
        embedding_parameters=sum(parameter.numel() for parameter in ranker.embedding.parameters()),
        flops_per_example=forward.total,
        training_flops_per_example=training.total,
    )


def unfilled_ranker(settings: RankerSettings, schema: FeatureSchema) -> Ranker:
    """Make the ranker in evaluation mode, with arbitrary values, to compute shapes and counts.

    A large ranker is on the meta device. A small one is in memory, since the first operation on the meta device
    imports PyTorch's compiler, which takes longer than a short training.

    Raises:
        SettingsError: the sizes do not fit each other.
    """
    with WithoutInitialValues():
        with torch.device("meta"):
            ranker = build_ranker(settings, schema).eval()
        is_small = sum(parameter.numel() for parameter in ranker.parameters()) <= _FEW_PARAMETERS
        return build_ranker(settings, schema).eval() if is_small else ranker


@torch.no_grad()
def _zero(ranker: Ranker) -> None:
    """Replace arbitrary values of the parameters, with which a decomposition in training might fail."""
    for parameter in ranker.parameters():
        parameter.zero_()


def blank_batch(ranker: Ranker, schema: FeatureSchema, *, num_examples: int = 1) -> Batch:
    """Make a batch of padding and zeros on the device of the ranker."""
    device = next(ranker.parameters()).device
    positions = (num_examples, schema.num_positions)
    return Batch(
        categorical=torch.zeros(num_examples, len(schema.categorical), dtype=torch.int32, device=device),
        numeric=torch.zeros(num_examples, len(schema.numeric), device=device),
        labels=None,
        group=None,
        sequence=torch.zeros(positions, dtype=torch.int32, device=device) if schema.sequence else None,
    )

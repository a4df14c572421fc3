"""FinalNet: hidden layers whose outputs are products of two linear maps, in two blocks that teach each other.

Source: Zhu et al. 2023, FINAL: Factorized Interaction Layer for CTR Prediction (SIGIR).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import MinLen
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from rankelastor.config.base import Settings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.activation import ActivationName
from rankelastor.nn.activation import activation as activation_by_name
from rankelastor.nn.batch_norm import BatchNorm
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.init import init_linear_
from rankelastor.nn.interaction.factorized import FactorizedInteraction
from rankelastor.nn.interaction.field_gate import FieldGate
from rankelastor.nn.sizes import DropoutRate
from rankelastor.schema import FeatureSchema


class FinalBlockSettings(Settings):
    """One block of FinalNet: factorized interactions in a row."""

    hidden_dims: Annotated[tuple[PositiveInt, ...], MinLen(1), Field(description="Widths of the layers, even numbers.")]
    activation: Annotated[ActivationName, Field(description="Activation of each layer.")] = "relu"
    batch_norm: Annotated[
        bool, Field(description="Whether a batch norm precedes each activation; it couples the examples of a batch.")
    ] = True
    dropout: Annotated[DropoutRate, Field(description="Share of a layer's outputs that are dropped.")] = 0.0


class FinalNetSettings(RankerSettings):
    """FinalNet: one or two blocks of factorized interactions, and a gate of the fields before the first.

    With two blocks the logit is the mean of theirs, and while training each block also learns from the probability of
    the mean.
    """

    kind: Literal["finalnet"]
    block1: Annotated[FinalBlockSettings, Field(description="The first block.")]
    block2: Annotated[FinalBlockSettings | None, Field(description="The second block; none: one block alone.")] = None
    field_gate: Annotated[bool, Field(description="Whether gated copies of the fields enter the first block.")] = False

    def network(self, schema: FeatureSchema) -> FinalNetNetwork:
        """Make the gate and the blocks."""
        in_dim, num_tasks = schema.num_fields * self.embedding_dim, len(schema.tasks)
        sizes = [(self.block1, in_dim * (2 if self.field_gate else 1))]
        sizes += [] if self.block2 is None else [(self.block2, in_dim)]
        return FinalNetNetwork(
            blocks=[_block(block, in_dim=width, num_tasks=num_tasks) for block, width in sizes],
            gate=FieldGate(num_fields=schema.num_fields) if self.field_gate else None,
        )


def _block(settings: FinalBlockSettings, *, in_dim: int, num_tasks: int) -> nn.Sequential:
    layers = [
        FinalLayer(
            in_dim=width,
            out_dim=next_width,
            activation=settings.activation,
            batch_norm=settings.batch_norm,
            dropout=settings.dropout,
        )
        for width, next_width in pairwise([in_dim, *settings.hidden_dims])
    ]
    out = nn.Linear(settings.hidden_dims[-1], num_tasks)
    init_linear_(out)
    return nn.Sequential(*layers, out)


class FinalLayer(nn.Module):
    """dropout(activation([batch norm](concat(a, a o b)))) of the two halves (a, b) of W x + b.

    Example:
        >>> FinalLayer(in_dim=6, out_dim=4, activation="relu", batch_norm=True, dropout=0.0)(torch.randn(2, 6)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self, *, in_dim: int, out_dim: int, activation: ActivationName, batch_norm: bool, dropout: float
    ) -> None:
        super().__init__()
        self.interaction = FactorizedInteraction(in_dim=in_dim, out_dim=out_dim)
        self.norm = BatchNorm(out_dim) if batch_norm else nn.Identity()
        self.activation = activation_by_name(activation)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "batch in_dim"]) -> Float[Tensor, "batch out_dim"]:
        """Apply the layer."""
        hidden: Tensor = self.dropout(self.activation(self.norm(self.interaction(x))))
        return hidden


class FinalNetNetwork(nn.Module):
    """The mean of block1(flat([gate](fields))) and block2(flat(fields)): embedded fields -> logits (batch, task).

    While training with two blocks the result is (batch, task, 3): the mean, then the logits of each block, which the
    objective teaches to agree with the mean.

    Args:
        blocks: one or two maps from (batch, flat) to (batch, task).
        gate: maps (batch, field, dim) to (batch, 2 * field, dim) before the first block, or None.

    Example:
        >>> network = FinalNetNetwork(blocks=[nn.Linear(12, 1), nn.Linear(12, 1)])
        >>> fields = Embedded(torch.randn(2, 3, 4))
        >>> network(fields).shape, network.eval()(fields).shape
        (torch.Size([2, 1, 3]), torch.Size([2, 1]))

    Source: the paper's sections 3.2 and 3.3, and its published code (`2B`).
    """

    def __init__(self, *, blocks: Sequence[nn.Module], gate: FieldGate | None = None) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.gate = gate
        self.blocks = nn.ModuleList(blocks)

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (row, dim), in order: the field embeddings, then with the gated ones."""
        gate = {} if self.gate is None else {"gate": self.gate}
        return {RAW_STAGE: self.field_matrix, **gate}

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order."""
        gate = {} if self.gate is None else {"gate": [self.gate]}
        return {**gate, **{f"block {number}": [block] for number, block in enumerate(self.blocks, 1)}}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features, and while training those of each block."""
        fields = self.field_matrix(embedded.fields)
        inputs = [fields if self.gate is None else self.gate(fields), fields]
        logits = [block(given.flatten(1)) for block, given in zip(self.blocks, inputs, strict=False)]
        whole: Tensor = torch.stack(logits).mean(dim=0)
        return torch.stack([whole, *logits], dim=2) if self.training and len(logits) > 1 else whole

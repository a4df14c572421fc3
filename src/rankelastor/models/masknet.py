"""MaskNet: hidden layers whose inputs are multiplied by masks made from all embeddings, in a row or side by side.

Source: Wang et al. 2021, arXiv 2102.07619.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import MinLen
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from rankelastor.models.deep import DeepSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.embedding.field_norm import FieldNorm
from rankelastor.nn.init import init_linear_
from rankelastor.nn.interaction.mask_block import MaskBlock
from rankelastor.schema import FeatureSchema


class MaskNetSettings(DeepSettings, RankerSettings):
    """MaskNet: ``serial`` has one mask block for each of ``hidden_dims`` in a row, then a linear map.

    ``parallel`` has ``num_blocks`` mask blocks of width ``block_dim`` side by side, then an MLP of ``hidden_dims``.
    ``activation`` and ``dropout`` act in the blocks and in the MLP, ``norm`` and ``batch_norm`` in the MLP alone.
    """

    kind: Literal["masknet"]
    structure: Annotated[
        Literal["serial", "parallel"], Field(description="Whether the mask blocks stand in a row or side by side.")
    ] = "serial"
    num_blocks: Annotated[PositiveInt, Field(description="Number of blocks, with structure parallel.")] = 1
    block_dim: Annotated[PositiveInt, Field(description="Width of a block's output, with structure parallel.")] = 64
    ratio: Annotated[
        PositiveFloat, Field(description="Width of a mask's hidden layer over that of the vector it masks.")
    ] = 1.0
    field_norm: Annotated[
        bool, Field(description="Whether each field's embedding has a LayerNorm before it is masked.")
    ] = True
    block_norm: Annotated[bool, Field(description="Whether the blocks have a LayerNorm.")] = True
    hidden_dims: Annotated[
        tuple[PositiveInt, ...],
        MinLen(1),
        Field(description="Output widths of the blocks (serial), or of the hidden layers behind them (parallel)."),
    ]

    def network(self, schema: FeatureSchema) -> MaskNetNetwork:
        """Make the norm, the blocks and the part behind them."""
        in_dim, num_tasks = schema.num_fields * self.embedding_dim, len(schema.tasks)
        norm = FieldNorm(num_fields=schema.num_fields, dim=self.embedding_dim) if self.field_norm else None
        if self.structure == "serial":
            widths = list(pairwise([in_dim, *self.hidden_dims]))
            out: nn.Module = nn.Linear(self.hidden_dims[-1], num_tasks)
            init_linear_(out)
        else:
            widths = [(in_dim, self.block_dim)] * self.num_blocks
            out = self.deep(in_dim=self.num_blocks * self.block_dim, out_dim=num_tasks)
        blocks = [self._block(in_dim, *width) for width in widths]
        return MaskNetNetwork(norm=norm, blocks=blocks, out=out, parallel=self.structure == "parallel")

    def _block(self, embedded_dim: int, in_dim: int, out_dim: int) -> MaskBlock:
        return MaskBlock(
            embedded_dim=embedded_dim,
            in_dim=in_dim,
            out_dim=out_dim,
            ratio=self.ratio,
            activation=self.activation,
            layer_norm=self.block_norm,
            dropout=self.dropout,
        )


class MaskNetNetwork(nn.Module):
    """out(blocks), each block masked by the flat embeddings: embedded fields -> logits (batch, task).

    Args:
        norm: norm of the field embeddings that the first blocks mask, or None.
        blocks: maps from (batch, flat embeddings) and (batch, in) to (batch, out).
        out: maps the last block's output, or all blocks' outputs side by side, to (batch, task).
        parallel: whether all blocks take the normalised embeddings, rather than each the output of the one before.

    Example:
        >>> blocks = [MaskBlock(embedded_dim=12, in_dim=12, out_dim=5) for _ in range(2)]
        >>> network = MaskNetNetwork(norm=None, blocks=blocks, out=nn.Linear(10, 1), parallel=True)
        >>> network(Embedded(torch.randn(2, 3, 4))).shape
        torch.Size([2, 1])

    Source: arXiv 2102.07619, section 3.4.
    """

    def __init__(self, *, norm: FieldNorm | None, blocks: Sequence[MaskBlock], out: nn.Module, parallel: bool) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.norm = norm
        self.blocks = nn.ModuleList(blocks)
        self.out = out
        self.parallel = parallel

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (field, dim), in order: the field embeddings, then normalised."""
        return {RAW_STAGE: self.field_matrix, **({} if self.norm is None else {"normalised": self.norm})}

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order."""
        norm = {} if self.norm is None else {"field norm": [self.norm]}
        return {**norm, "mask blocks": [*self.blocks], "out": [self.out]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        fields = self.field_matrix(embedded.fields)
        flat, hidden = fields.flatten(1), (fields if self.norm is None else self.norm(fields)).flatten(1)
        if self.parallel:
            hidden = torch.cat([block(flat, hidden) for block in self.blocks], dim=1)
        else:
            for block in self.blocks:
                hidden = block(flat, hidden)
        logits: Tensor = self.out(hidden)
        return logits

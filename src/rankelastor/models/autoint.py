"""AutoInt: self-attention between the fields; AutoInt+ adds an MLP.

Source: Song et al. 2019, arXiv 1810.11921.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from rankelastor.models.deep import DeepSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.init import init_linear_
from rankelastor.nn.interaction.attention import FieldAttention
from rankelastor.nn.projection import Projection
from rankelastor.schema import FeatureSchema


class AutoIntSettings(DeepSettings, RankerSettings):
    """AutoInt: layers of self-attention between the fields; with ``hidden_dims`` it is AutoInt+.

    ``dropout`` acts on the attention weights and on the hidden layers.
    """

    kind: Literal["autoint"]
    num_attention_layers: Annotated[PositiveInt, Field(description="Number of attention layers.")] = 2
    attention_dim: Annotated[PositiveInt, Field(description="Width of a field behind attention, over all heads.")] = 8
    num_heads: Annotated[PositiveInt, Field(description="Number of heads; it must divide attention_dim.")] = 1
    residual: Annotated[bool, Field(description="Whether each attention layer adds its input.")] = True
    scale: Annotated[bool, Field(description="Whether scores are divided by the root of a head's width.")] = False
    layer_norm: Annotated[bool, Field(description="Whether a LayerNorm precedes the ReLU of attention.")] = False
    hidden_dims: Annotated[
        tuple[PositiveInt, ...], Field(description="Widths of the hidden layers of AutoInt+; empty: AutoInt.")
    ] = ()

    def network(self, schema: FeatureSchema) -> AutoIntNetwork:
        """Make the attention layers, the linear map and the deep part, if any."""
        num_fields, num_tasks = schema.num_fields, len(schema.tasks)
        widths = [self.embedding_dim, *[self.attention_dim] * self.num_attention_layers]
        flat_dim = num_fields * self.embedding_dim
        return AutoIntNetwork(
            attention=[self._attention(in_dim) for in_dim, _ in pairwise(widths)],
            out=nn.Linear(num_fields * self.attention_dim, num_tasks),
            deep=self.deep(in_dim=flat_dim, out_dim=num_tasks) if self.hidden_dims else None,
        )

    def _attention(self, in_dim: int) -> FieldAttention:
        return FieldAttention(
            in_dim=in_dim,
            attention_dim=self.attention_dim,
            num_heads=self.num_heads,
            residual=self.residual,
            scale=self.scale,
            layer_norm=self.layer_norm,
            dropout=self.dropout,
        )


class AutoIntNetwork(nn.Module):
    """W flat(attention(fields)) + b [+ mlp(flat(fields))]: embedded fields -> logits (batch, task).

    Args:
        attention: layers, each maps (batch, field, in_dim) to (batch, field, attention_dim).
        out: maps (batch, field * attention_dim) to (batch, task).
        deep: maps (batch, field * embedding_dim) to (batch, task), or None.

    Example:
        >>> import torch
        >>> network = AutoIntNetwork(attention=[FieldAttention(in_dim=4, attention_dim=2)], out=nn.Linear(3 * 2, 1))
        >>> network(Embedded(torch.randn(2, 3, 4))).shape
        torch.Size([2, 1])

    Source: arXiv 1810.11921, section 4.
    """

    def __init__(self, *, attention: Sequence[FieldAttention], out: nn.Linear, deep: Projection | None = None) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.attention = nn.ModuleList(attention)
        self.out = out
        self.deep = deep
        init_linear_(out)

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (field, dim), in order: the field embeddings and each attention layer."""
        layers = {f"attention{index}": layer for index, layer in enumerate(self.attention)}
        return {RAW_STAGE: self.field_matrix, **layers}

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order."""
        deep = {} if self.deep is None else {"deep": [self.deep]}
        return {"attention": [*self.attention, self.out], **deep}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        fields = attended = self.field_matrix(embedded.fields)
        for layer in self.attention:
            attended = layer(attended)
        logits: Tensor = self.out(attended.flatten(1))
        return logits if self.deep is None else logits + self.deep(fields.flatten(1))

"""DCN V2: a cross network of explicit feature products, with a deep part behind it or beside it.

Source: Wang et al. 2021, arXiv 2008.13535.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn

from rankelastor.models.deep import DeepSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.init import init_linear_
from rankelastor.nn.interaction.cross import CrossNetwork
from rankelastor.nn.projection import Projection
from rankelastor.schema import FeatureSchema

Structure = Literal["crossnet", "stacked", "parallel"]


class DcnV2Settings(DeepSettings, RankerSettings):
    """DCN V2 with full cross matrices.

    ``structure``: ``crossnet`` has cross layers alone and no ``hidden_dims``; ``stacked`` has the hidden layers behind
    them; ``parallel`` has the hidden layers beside them.
    """

    kind: Literal["dcn_v2"]
    structure: Structure = "stacked"
    num_cross_layers: PositiveInt = 3
    hidden_dims: tuple[PositiveInt, ...] = ()

    @model_validator(mode="after")
    def _hidden_dims_go_with_the_structure(self) -> DcnV2Settings:
        if bool(self.hidden_dims) == (self.structure == "crossnet"):
            fault = "no hidden_dims" if self.structure == "crossnet" else "at least one of hidden_dims"
            other = "stacked or parallel" if self.structure == "crossnet" else "crossnet"
            raise ValueError(
                f"structure {self.structure} must have {fault}, but {list(self.hidden_dims)} was given; "
                f"try structure={other}"
            )
        return self

    def network(self, schema: FeatureSchema) -> DcnV2Network:
        """Make the cross network and the deep part."""
        width, num_tasks = schema.num_fields * self.embedding_dim, len(schema.tasks)
        cross = CrossNetwork(width=width, num_layers=self.num_cross_layers)
        deep = self.deep(in_dim=width, out_dim=num_tasks)
        if self.structure == "parallel":
            return DcnV2Network(cross=cross, deep=deep, cross_out=nn.Linear(width, num_tasks, bias=False))
        return DcnV2Network(cross=cross, deep=deep)


class DcnV2Network(nn.Module):
    """deep(cross(x)), or deep(x) + U cross(x), of x = flat(fields): embedded fields -> logits (batch, task).

    ``deep`` is the hidden layers and the linear map to the logits; without hidden layers the first form is the cross
    network alone. The second form is the paper's parallel one, a linear map of [cross(x), hidden(x)], with that map
    cut in two: U for cross(x), and the rest as the last map of ``deep``, which has the bias.

    Args:
        cross: from (batch, width) to (batch, width), where width is field * embedding_dim.
        deep: from (batch, width) to (batch, task).
        cross_out: U, from (batch, width) to (batch, task), where the deep part stands beside the cross network; None
            where it stands behind.

    Example:
        >>> import torch
        >>> cross, deep = CrossNetwork(width=12, num_layers=2), Projection(in_dim=12, hidden_dims=[8], out_dim=1)
        >>> DcnV2Network(cross=cross, deep=deep)(Embedded(torch.randn(2, 3, 4))).shape
        torch.Size([2, 1])

    Source: arXiv 2008.13535, sections 3.2 to 3.4.
    """

    def __init__(self, *, cross: CrossNetwork, deep: Projection, cross_out: nn.Linear | None = None) -> None:
        super().__init__()
        self.cross = cross
        self.deep = deep
        self.cross_out = cross_out
        if cross_out is not None:
            init_linear_(cross_out)

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """The modules whose work makes up each stage."""
        return {"cross": [self.cross] if self.cross_out is None else [self.cross, self.cross_out], "deep": [self.deep]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        x = embedded.fields.flatten(1)
        crossed: Tensor = self.cross(x)
        if self.cross_out is None:
            stacked: Tensor = self.deep(crossed)
            return stacked
        parallel: Tensor = self.deep(x) + self.cross_out(crossed)
        return parallel

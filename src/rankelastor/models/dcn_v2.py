"""DCN V2: a cross network of explicit feature products, with hidden layers after it, beside it, or both.

Source: Wang et al. 2021, arXiv 2008.13535.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from jaxtyping import Float
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from rankelastor.models.deep import DeepSettings
from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.layer_settings import LayerSettings, descriptions_of
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.init import init_linear_
from rankelastor.nn.interaction.cross import CrossNetwork, MixtureCrossNetwork
from rankelastor.nn.projection import Projection
from rankelastor.schema import FeatureSchema

Structure = Literal["crossnet", "stacked", "parallel", "stacked_parallel"]

CROSS_NETWORKS = LayerChoice({"full": CrossNetwork, "mixture": MixtureCrossNetwork}, given=["width", "num_layers"])

if TYPE_CHECKING:
    CrossSettings = LayerSettings
else:
    CrossSettings = CROSS_NETWORKS.annotation


class DcnV2Settings(DeepSettings, RankerSettings):
    """DCN V2: cross layers with full matrices, or mixtures of low-rank ones, and hidden layers after or beside them."""

    kind: Literal["dcn_v2"]
    structure: Structure = Field(
        "stacked",
        description="`crossnet` has only cross layers and no `hidden_dims`; `stacked` has the hidden layers after "
        "them; `parallel` has the hidden layers beside them; `stacked_parallel` has `hidden_dims` beside them and "
        "`stacked_hidden_dims` after them.",
    )
    num_cross_layers: PositiveInt = Field(3, description=descriptions_of(CrossNetwork)["num_layers"])
    cross: CrossSettings = Field(
        CROSS_NETWORKS.settings("full"), description="The cross layers: full matrices, or mixtures of low-rank experts."
    )
    hidden_dims: tuple[PositiveInt, ...] = Field(
        (), description="The hidden widths, from the first layer to the last; none with `structure: crossnet`."
    )
    stacked_hidden_dims: tuple[PositiveInt, ...] = Field(
        (), description="The hidden widths after the cross layers, with `structure: stacked_parallel` only."
    )

    @model_validator(mode="after")
    def _check_hidden_dims(self) -> DcnV2Settings:
        if bool(self.hidden_dims) == (self.structure == "crossnet"):
            must, other = "hold at least one width", "structure: crossnet"
            if self.structure == "crossnet":
                must, other = "be left out", "structure: stacked or structure: parallel"
            raise ValueError(
                f"hidden_dims must {must} with structure: {self.structure}, but {list(self.hidden_dims)} was given; "
                f"try {other}"
            )
        if bool(self.stacked_hidden_dims) != (self.structure == "stacked_parallel"):
            fault = "at least one of" if self.structure == "stacked_parallel" else "no"
            other = "parallel" if self.structure == "stacked_parallel" else "stacked_parallel"
            raise ValueError(
                f"structure {self.structure} must have {fault} stacked_hidden_dims, but "
                f"{list(self.stacked_hidden_dims)} was given; try structure={other}"
            )
        return self

    def network(self, schema: FeatureSchema) -> DcnV2Network:
        """Make the cross network and the deep parts."""
        width, num_tasks = schema.num_fields * self.embedding_dim, len(schema.tasks)
        cross = CROSS_NETWORKS.build(self.cross, {"width": width, "num_layers": self.num_cross_layers})
        deep = self.deep(in_dim=width, out_dim=num_tasks)
        return DcnV2Network(cross=cross, deep=deep, cross_out=self._cross_out(width, num_tasks))

    def _cross_out(self, width: int, num_tasks: int) -> nn.Module | None:
        match self.structure:
            case "parallel":
                return nn.Linear(width, num_tasks, bias=False)
            case "stacked_parallel":
                hidden = self.hidden(self.stacked_hidden_dims, in_dim=width)
                return nn.Sequential(*hidden, nn.Linear(self.stacked_hidden_dims[-1], num_tasks, bias=False))
            case _:
                return None


class DcnV2Network(nn.Module):
    """deep(cross(x)), or deep(x) + U cross(x), of x = flat(fields): embedded fields -> logits (batch, task).

    ``deep`` consists of the hidden layers and the linear map to the logits; without hidden layers the first form is the
    cross network with a linear map. The second form is the parallel structure of the paper, a linear map of
    [cross(x), hidden(x)], kept as two maps: U for cross(x), and the last map of ``deep``, which has the bias. U may
    have hidden layers of its own.

    Args:
        cross: maps (batch, width) to (batch, width), where width is field * embedding_dim.
        deep: maps (batch, width) to (batch, task).
        cross_out: U, which maps (batch, width) to (batch, task), for a deep part beside the cross network; None for a
            deep part after it.

    Example:
        >>> import torch
        >>> cross, deep = CrossNetwork(width=12, num_layers=2), Projection(in_dim=12, hidden_dims=[8], out_dim=1)
        >>> DcnV2Network(cross=cross, deep=deep)(Embedded(torch.randn(2, 3, 4))).shape
        torch.Size([2, 1])

    Source: arXiv 2008.13535, sections 3.2 to 3.4.
    """

    def __init__(self, *, cross: nn.Module, deep: Projection, cross_out: nn.Module | None = None) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.cross = cross
        self.deep = deep
        self.cross_out = cross_out
        if cross_out is not None:
            init_linear_(cross_out)

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (row, dim): the field embeddings."""
        return {RAW_STAGE: self.field_matrix}

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order."""
        return {"cross": [self.cross] if self.cross_out is None else [self.cross, self.cross_out], "deep": [self.deep]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        x = self.field_matrix(embedded.fields).flatten(1)
        crossed: Tensor = self.cross(x)
        if self.cross_out is None:
            stacked: Tensor = self.deep(crossed)
            return stacked
        parallel: Tensor = self.deep(x) + self.cross_out(crossed)
        return parallel

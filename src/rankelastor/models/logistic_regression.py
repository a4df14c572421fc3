"""Logistic regression: one weight per value of a field, and a bias; the baseline of baselines.

Source: Richardson et al. 2007, Predicting Clicks; `LR` in FuxiCTR's model zoo.
"""

from __future__ import annotations

from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.interaction.first_order import FirstOrder
from rankelastor.schema import FeatureSchema


class LogisticRegressionSettings(RankerSettings):
    """Logistic regression: a weight per value, field and task, and a bias per task; nothing to set."""

    kind: Literal["logistic_regression"]
    embedding_dim: Annotated[Literal[1], Field(description="Width of a weight, always 1.")] = 1

    def embedding_width(self, schema: FeatureSchema) -> int:
        """Width of the rows of the table: one weight per task."""
        return len(schema.tasks)

    def network(self, schema: FeatureSchema) -> LogisticRegressionNetwork:
        """Make the sum and its bias."""
        return LogisticRegressionNetwork(num_tasks=len(schema.tasks))


class LogisticRegressionNetwork(nn.Module):
    """b + sum_i w_i x_i: looked-up weights -> logits (batch, task).

    Args:
        num_tasks: number of tasks.

    Example:
        >>> import torch
        >>> LogisticRegressionNetwork(num_tasks=1)(Embedded(torch.tensor([[[1.0], [2.5]]]))).tolist()
        [[3.5]]
    """

    def __init__(self, *, num_tasks: int) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.first_order = FirstOrder(num_tasks=num_tasks)

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (row, dim): the weights of the fields."""
        return {RAW_STAGE: self.field_matrix}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        logits: Tensor = self.first_order(self.field_matrix(embedded.fields))
        return logits

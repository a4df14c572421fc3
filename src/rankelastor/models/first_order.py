"""Settings of models with weights of first order: one weight per value, field and task, beside the embeddings."""

from __future__ import annotations

from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.schema import FeatureSchema


class FirstOrderSettings(RankerSettings):
    """The base of models that have a linear part; its weights are further columns of the embedding table.

    A row of the table holds ``embedding_dim`` coordinates, then one weight per task. A number has a weight that is
    multiplied by it, and a sequence the mean weight of its elements. The weights therefore have the initial values,
    the L2 and the updates of embeddings.
    """

    def embedding_width(self, schema: FeatureSchema) -> int:
        """Width of the rows: ``embedding_dim``, and one weight per task."""
        return self.embedding_dim + len(schema.tasks)

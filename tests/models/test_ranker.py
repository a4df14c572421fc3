from __future__ import annotations

import torch
from jaxtyping import Float
from tests.models.test_build import BATCH, SCHEMA, settings
from torch import Tensor, nn

from rankelastor.models.build import build_embedding, build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.embedded import Embedded


class Sum(nn.Module):
    """A network without parameters, points and stages."""

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        return embedded.fields.flatten(1).sum(dim=1, keepdim=True)


def test_a_network_need_name_neither_points_nor_stages() -> None:
    ranker = Ranker(embedding=build_embedding(SCHEMA, embedding_dim=3), network=Sum())
    assert ranker.points == {}
    assert ranker.stages == {"network": [ranker.network]}
    assert ranker.num_dense_parameters == 0
    torch.testing.assert_close(ranker(BATCH), ranker.embedding(BATCH).fields.sum(dim=(1, 2))[:, None])


def test_a_mixer_names_both() -> None:
    ranker = build_ranker(settings(num_blocks=2), SCHEMA)
    assert list(ranker.stages) == ["tokenizer", "mixing", "block norms", "FFN", "head"]
    assert [len(modules) for modules in ranker.stages.values()] == [1, 2, 2, 2, 1]
    staged = {module for modules in ranker.stages.values() for module in modules}
    assert {module for name, module in ranker.points.items() if name != "fields"} <= staged


def test_weights_of_first_order_are_the_last_columns_and_are_added_to_the_logits() -> None:
    ranker = build_ranker(settings(first_order=True), SCHEMA).eval()
    width = ranker.embedding.table.shape[1]
    assert width == settings().embedding_dim + len(SCHEMA.tasks)
    fields = ranker.embedding(BATCH).fields
    whole = ranker(BATCH)
    with torch.no_grad():
        ranker.embedding.table[:, -1] = 0
        ranker.embedding.numeric_vectors[:, -1] = 0
    torch.testing.assert_close(whole, ranker(BATCH) + fields[:, :, -1].sum(dim=1, keepdim=True))

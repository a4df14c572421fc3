from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from tests.models.test_build import BATCH, SCHEMA

from rankelastor.models.build import build_ranker
from rankelastor.models.mlp import MlpSettings
from rankelastor.nn.embedding.embedded import Embedded


def test_logits_are_what_loops_compute() -> None:
    network: Any = MlpSettings(kind="mlp", embedding_dim=2, hidden_dims=(3,)).network(SCHEMA).eval()
    fields = torch.randn(5, SCHEMA.num_fields, 2)
    first, out = network.mlp.layers[0].linear, network.mlp.out
    expected = []
    for example in fields:
        flat = [value for field in example.tolist() for value in field]
        hidden = [
            max(0.0, sum(weight * value for weight, value in zip(row, flat, strict=True)) + bias)
            for row, bias in zip(first.weight.tolist(), first.bias.tolist(), strict=True)
        ]
        total = sum(weight * value for weight, value in zip(out.weight[0].tolist(), hidden, strict=True))
        expected.append([total + out.bias.item()])
    torch.testing.assert_close(network(Embedded(fields)), torch.tensor(expected))


def test_without_hidden_layers_it_is_a_linear_model_by_hand() -> None:
    network = MlpSettings(kind="mlp", embedding_dim=1, hidden_dims=()).network(SCHEMA)
    with torch.no_grad():
        network.mlp.out.weight.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
        network.mlp.out.bias.fill_(0.5)
    assert network(Embedded(torch.tensor([[[1.0], [0.0], [-1.0], [2.0]]]))).tolist() == [[1 - 3 + 8 + 0.5]]


def test_it_has_no_points_and_is_one_stage() -> None:
    ranker = build_ranker(MlpSettings(kind="mlp", hidden_dims=(3,)), SCHEMA)
    assert ranker(BATCH).shape == (3, 1)
    assert list(ranker.points) == ["fields"]
    assert ranker.stages == {"network": [ranker.network]}


@pytest.mark.parametrize(
    "changes", [{"hidden_dims": (0,)}, {"dropout": 1.0}, {"dropout": -0.1}, {"activation": "swish"}, {"num_tokens": 3}]
)
def test_settings_out_of_range_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MlpSettings.model_validate({"kind": "mlp", "hidden_dims": (2,)} | changes)

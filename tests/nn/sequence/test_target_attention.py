from __future__ import annotations

from typing import Literal

import pytest
import torch
from tests.nn.sequence.loops import examples, scattered, target_attention

from rankelastor.nn.sequence.target_attention import TargetAttention


def test_a_linear_unit_by_hand() -> None:
    layer = TargetAttention(embedding_dim=1, hidden_dims=[])
    with torch.no_grad():
        layer.unit[0].weight.copy_(  # type: ignore[operator]
            torch.tensor([[1.0, 2.0, 3.0, 4.0]])
        )
        layer.unit[0].bias.fill_(0.5)  # type: ignore[operator]
    elements, mask = torch.tensor([[[0.0], [5.0], [7.0]]]), torch.tensor([[False, True, True]])
    first = 1 * 2 + 2 * 5 + 3 * (2 - 5) + 4 * 2 * 5 + 0.5
    second = 1 * 2 + 2 * 7 + 3 * (2 - 7) + 4 * 2 * 7 + 0.5
    weighted = layer(elements, mask, torch.tensor([[2.0]]))
    assert weighted.flatten().tolist() == pytest.approx([0.0, first * 5, second * 7])


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("activation", ["dice", "prelu"])
def test_it_is_the_loop_over_elements(activation: Literal["dice", "prelu"], *, softmax: bool) -> None:
    layer = scattered(TargetAttention(embedding_dim=4, hidden_dims=[5, 3], activation=activation, softmax=softmax))
    elements, mask, target = examples()
    weighted = layer(elements, mask, target)
    for example in range(len(target)):
        given = elements[example].tolist(), mask[example].tolist(), target[example].tolist()
        expected = torch.tensor(target_attention(layer, *given), dtype=torch.float64)
        torch.testing.assert_close(weighted[example], expected)

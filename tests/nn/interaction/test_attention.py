from __future__ import annotations

import math

import pytest
import torch
from tests.nn.gradients import require_exact_gradients

from rankelastor.nn.interaction.attention import FieldAttention
from rankelastor.nn.sizes import SizesDoNotFit


def test_one_head_by_hand() -> None:
    layer = FieldAttention(in_dim=1, attention_dim=1)
    with torch.no_grad():
        for linear, weight in ((layer.query, 1.0), (layer.key, 2.0), (layer.value, 3.0)):
            linear.weight.fill_(weight)
    first, second = math.exp(2 * 1 * 1), math.exp(2 * 1 * 2)  # scores of the first field, of value 1
    expected = (first * 3 + second * 6) / (first + second) + 1
    assert layer(torch.tensor([[[1.0], [2.0]]]))[0, 0].item() == pytest.approx(expected)


def test_the_scale_divides_scores_by_the_root_of_a_heads_width() -> None:
    plain, scaled = (FieldAttention(in_dim=4, attention_dim=8, num_heads=2, scale=scale) for scale in (False, True))
    scaled.load_state_dict(plain.state_dict())
    fields = torch.randn(2, 3, 4)
    assert not torch.allclose(plain(fields), scaled(fields))
    with torch.no_grad():
        scaled.query.weight.mul_(2)  # the root of 4
    torch.testing.assert_close(plain(fields), scaled(fields))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(SizesDoNotFit, match="num_heads must divide attention_dim = 6 for attention, but 4 was given"):
        FieldAttention(in_dim=4, attention_dim=6, num_heads=4)


def test_gradients_are_exact() -> None:
    layer = FieldAttention(in_dim=3, attention_dim=4, num_heads=2).double()
    require_exact_gradients(layer, torch.randn(2, 3, 3, dtype=torch.float64))

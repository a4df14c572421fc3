import pytest
import torch
from torch import nn

from rankelastor.nn.init import init_linear_, xavier_normal_slices_


def test_every_slice_has_the_deviation_of_a_map_that_stands_alone() -> None:
    torch.manual_seed(0)
    weight = torch.empty(40, 50, 150)
    xavier_normal_slices_(weight, [50, 100])
    first, second = weight.split([50, 100], dim=2)
    assert first.std().item() == pytest.approx((2 / 100) ** 0.5, rel=0.02)
    assert second.std().item() == pytest.approx((2 / 150) ** 0.5, rel=0.02)


def test_all_linear_maps_inside_are_filled_and_other_parameters_left_alone() -> None:
    torch.manual_seed(0)
    first, norm, last = nn.Linear(300, 100), nn.LayerNorm(100), nn.Linear(100, 300, bias=False)
    nn.init.constant_(norm.weight, 7.0)
    init_linear_(nn.Sequential(first, norm, nn.Sequential(last)))
    for weight in (first.weight, last.weight):
        assert weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert first.bias.abs().sum() == 0
    assert bool((norm.weight == 7).all())

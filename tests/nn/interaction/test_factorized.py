from __future__ import annotations

import pytest
import torch
from tests.nn.gradients import require_exact_gradients

from rankelastor.nn.interaction.factorized import FactorizedInteraction
from rankelastor.nn.sizes import SizesDoNotFit


def test_the_second_half_is_the_product_of_both() -> None:
    layer = FactorizedInteraction(in_dim=3, out_dim=6)
    x = torch.randn(4, 3)
    kept, factor = layer.linear(x)[:, :3], layer.linear(x)[:, 3:]
    torch.testing.assert_close(layer(x), torch.cat([kept, kept * factor], dim=1))


def test_an_odd_width_is_an_error() -> None:
    with pytest.raises(SizesDoNotFit, match="must be even, but 5 was given; try 6"):
        FactorizedInteraction(in_dim=3, out_dim=5)


def test_gradients_are_exact() -> None:
    require_exact_gradients(FactorizedInteraction(in_dim=3, out_dim=4).double(), torch.randn(2, 3, dtype=torch.float64))

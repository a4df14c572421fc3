from __future__ import annotations

import pytest
import torch
from tests.nn.gradients import require_exact_gradients

from rankelastor.nn.interaction.bilinear import BilinearInteraction, BilinearName
from rankelastor.nn.sizes import SizesDoNotFit


@pytest.mark.parametrize(("share", "num_maps"), [("pair", 6), ("field", 3), ("all", 1)])
def test_with_identity_maps_every_pair_is_an_elementwise_product(share: BilinearName, num_maps: int) -> None:
    layer = BilinearInteraction(num_fields=4, embedding_dim=2, share=share)
    assert len(layer.weight) == num_maps
    with torch.no_grad():
        layer.weight.copy_(torch.eye(2).expand_as(layer.weight))
    fields = torch.tensor([[[1.0, 2.0], [3.0, 5.0], [7.0, 11.0], [13.0, 17.0]]])
    expected = [[3, 10], [7, 22], [13, 34], [21, 55], [39, 85], [91, 187]]
    assert layer(fields).tolist() == [expected]


def test_one_field_has_no_pair() -> None:
    with pytest.raises(SizesDoNotFit, match="must have 2 fields or more, but 1 was given"):
        BilinearInteraction(num_fields=1, embedding_dim=2)


@pytest.mark.parametrize("share", ["pair", "field", "all"])
def test_gradients_are_exact(share: BilinearName) -> None:
    layer = BilinearInteraction(num_fields=3, embedding_dim=2, share=share).double()
    require_exact_gradients(layer, torch.randn(2, 3, 2, dtype=torch.float64))


@pytest.mark.parametrize("share", ["pair", "field", "all"])
def test_more_fields_than_it_was_made_for_are_refused(share: BilinearName) -> None:
    with pytest.raises(AssertionError, match="as many fields as the products were made for"):
        BilinearInteraction(num_fields=3, embedding_dim=2, share=share)(torch.randn(1, 4, 2))

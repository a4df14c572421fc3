from __future__ import annotations

import pytest
import torch

from rankelastor.nn.interaction.fusion import BilinearFusion
from rankelastor.nn.sizes import SizesDoNotFit


def test_two_heads_by_hand() -> None:
    fusion = BilinearFusion(first_dim=2, second_dim=4, num_heads=2)
    with torch.no_grad():
        fusion.first.weight.copy_(torch.tensor([[1.0, 1.0]]))
        fusion.first.bias.fill_(0.5)
        fusion.second.weight.zero_()
        fusion.weight.copy_(torch.tensor([[[1.0, 10.0]], [[100.0, 1000.0]]]))
    logits = fusion(torch.tensor([[2.0, 3.0]]), torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert logits.tolist() == [[2 + 3 + 0.5 + 2 * (1 * 1 + 10 * 2) + 3 * (100 * 3 + 1000 * 4)]]


def test_each_task_has_matrices_of_its_own() -> None:
    fusion = BilinearFusion(first_dim=6, second_dim=4, num_tasks=3, num_heads=2)
    first, second = torch.randn(5, 6), torch.randn(5, 4)
    parts = fusion.weight.view(2, 3, 3, 2)  # head, first, task, second
    products = torch.einsum("bhi,hitj,bhj->bt", first.view(5, 2, 3), parts, second.view(5, 2, 2))
    torch.testing.assert_close(fusion(first, second), fusion.first(first) + fusion.second(second) + products)


def test_heads_must_divide_both_streams() -> None:
    with pytest.raises(SizesDoNotFit, match=r"num_heads must divide the last width of stream 2 = 4 .* but 3 was given"):
        BilinearFusion(first_dim=6, second_dim=4, num_heads=3)

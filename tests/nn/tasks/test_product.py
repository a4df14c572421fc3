import math

import pytest
import torch

from rankelastor.nn.tasks.product import TaskProduct


def test_a_chain_of_three_by_hand() -> None:
    view, click, buy = 0.5, 0.25, 0.1
    logits = torch.tensor([[math.log(p / (1 - p)) for p in (buy, click, view)]])
    probabilities = torch.sigmoid(TaskProduct({0: 1, 1: 2})(logits))[0].tolist()
    assert probabilities == pytest.approx([view * click * buy, view * click, view])


def test_extreme_probabilities_stay_finite_and_learn() -> None:
    logits = torch.tensor([[60.0, 60.0], [-90.0, -90.0], [0.0, -200.0]], requires_grad=True)
    product = TaskProduct({1: 0})(logits)
    assert product.isfinite().all()
    product.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert product[1, 1].item() == pytest.approx(-180)

import math

import pytest
import torch

from rankelastor.nn.tasks.gate import ExpertGate


def test_a_gate_by_hand() -> None:
    gate = ExpertGate(in_dim=1, num_experts=2)
    with torch.no_grad():
        gate.linear.weight.copy_(torch.tensor([[0.0], [1.0]]))
    first, second = math.exp(0 * 3), math.exp(1 * 3)
    mixed = gate(torch.tensor([[3.0]]), torch.tensor([[[10.0, 1.0], [20.0, 2.0]]]))
    total = first + second
    expected = [(first * 10 + second * 20) / total, (first * 1 + second * 2) / total]
    assert mixed[0].tolist() == pytest.approx(expected)

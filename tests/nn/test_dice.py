import math

import pytest
import torch

from rankelastor.nn.dice import Dice


def test_dice_by_hand_in_evaluation() -> None:
    dice = Dice(2).eval()
    with torch.no_grad():
        dice.alpha.copy_(torch.tensor([0.0, 0.5]))
    p = 1 / (1 + math.exp(-3))  # the running mean is 0, the running variance 1
    assert dice(torch.tensor([[3.0, 3.0]]))[0].tolist() == pytest.approx([3 * p, 3 * p + 0.5 * (1 - p) * 3])


def test_while_training_the_gate_follows_the_batch() -> None:
    x = torch.tensor([[1.0], [3.0]])
    p = [1 / (1 + math.e), 1 / (1 + 1 / math.e)]  # mean 2, variance 1
    assert Dice(1)(x).flatten().tolist() == pytest.approx([1 * p[0], 3 * p[1]], rel=1e-5)


def test_a_single_row_uses_the_running_values() -> None:
    dice = Dice(1)
    torch.testing.assert_close(dice(torch.tensor([[2.0]])), dice.eval()(torch.tensor([[2.0]])))

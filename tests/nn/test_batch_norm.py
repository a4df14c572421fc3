from __future__ import annotations

import torch
from torch import nn

from rankelastor.nn.batch_norm import BatchNorm


def test_it_is_pytorchs_for_two_examples_and_more() -> None:
    ours, theirs, x = BatchNorm(3), nn.BatchNorm1d(3), torch.randn(5, 3)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_a_single_example_is_normalised_by_the_running_values_and_leaves_them() -> None:
    layer = BatchNorm(3)
    layer(torch.randn(50, 3))
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    x = torch.randn(1, 3)
    trained = layer(x)
    torch.testing.assert_close(layer.state_dict(), before)
    torch.testing.assert_close(trained, layer.eval()(x))

import pytest
import torch
from torch import Tensor, nn

from rankelastor.nn.observation import watching


def test_outputs_are_seen_by_name_and_hooks_are_gone_afterwards() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    seen: dict[str, Tensor] = {}
    with watching({"hidden": model[0], "out": model[1]}, seen.__setitem__):
        out = model(torch.randn(1, 2))
    assert list(seen) == ["hidden", "out"]
    assert seen["out"] is out
    seen.clear()
    model(torch.randn(1, 2))
    assert seen == {}


def test_hooks_are_gone_after_an_error_too() -> None:
    layer = nn.Linear(2, 3)
    with pytest.raises(RuntimeError), watching({"hidden": layer}, lambda _name, _output: None):
        layer(torch.randn(1, 5))
    assert not layer._forward_hooks

from pathlib import Path

import pytest
import torch
from torch import nn

from rankelastor.errors import RunError
from rankelastor.runs.weights import load_weights, save_weights


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    save_weights(one, tmp_path / "deep" / "w.safetensors")
    load_weights(other, tmp_path / "deep" / "w.safetensors")
    assert torch.equal(one.weight, other.weight)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["w.safetensors"]


def test_missing_damaged_and_foreign_weights_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(RunError, match="there is no such file"):
        load_weights(nn.Linear(3, 2), path)
    save_weights(nn.Linear(3, 2), path)
    with pytest.raises(RunError, match="must hold the parameters of this model"):
        load_weights(nn.Linear(3, 3), path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError, match="must hold safetensors, but cannot be read"):
        load_weights(nn.Linear(3, 2), path)

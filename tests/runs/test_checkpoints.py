import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from rankelastor.errors import RunError, StorageError
from rankelastor.runs.checkpoints import list_checkpoints, read_checkpoint, remove_all_but, write_checkpoint

TENSORS = {
    "weight": torch.arange(6, dtype=torch.float32).view(2, 3),
    "steps": torch.tensor(3.0, dtype=torch.float64),
    "rows": torch.tensor([1, 2], dtype=torch.int32),
    "random": torch.tensor([7], dtype=torch.uint8),
    "seen": torch.tensor(True),
    "none": torch.zeros(0, 4),
    "half": torch.ones(3, dtype=torch.bfloat16),
}


def test_a_checkpoint_reads_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").write_bytes(b"weights")
    values = {"rate": 0.1, "best": None, "all": [1, 2]}
    files = [tmp_path / "best.safetensors", tmp_path / "missing"]
    path = write_checkpoint(tmp_path / "c", step=12, values=values, tensors=TENSORS, files=files)
    checkpoint = read_checkpoint(path)
    assert (checkpoint.step, checkpoint.values) == (12, values)
    assert checkpoint.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert checkpoint.tensors[name].dtype == tensor.dtype
        assert torch.equal(checkpoint.tensors[name], tensor), name
    (tmp_path / "best.safetensors").unlink()
    assert checkpoint.copy_of("best.safetensors", tmp_path / "best.safetensors")
    assert checkpoint.copy_of("best.safetensors", tmp_path / "best.safetensors")  # it is there already
    assert (tmp_path / "best.safetensors").read_bytes() == b"weights"
    assert not checkpoint.copy_of("missing", tmp_path / "missing")
    assert {item.name for item in tmp_path.iterdir()} == {"c", "best.safetensors"}


def test_the_newest_has_most_steps_and_comes_first(tmp_path: Path) -> None:
    for step, is_evaluated in [(9, False), (10, False), (10, True), (8, True)]:
        write_checkpoint(tmp_path, step=step, values={}, tensors={}, is_evaluated=is_evaluated)
    (tmp_path / "step-x").mkdir()
    names = [path.name for path in list_checkpoints(tmp_path)]
    assert names == ["step-0000000010-evaluated", "step-0000000010", "step-0000000009", "step-0000000008-evaluated"]
    remove_all_but(tmp_path, 2)
    assert [path.name for path in list_checkpoints(tmp_path)] == names[:2]


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, step=1, values={}, tensors={})
    sums = json.loads((path / "checksums.json").read_text())
    (path / "checksums.json").write_text(json.dumps(sums | {"format_version": 2}))
    with pytest.raises(RunError, match=r"must have format_version 1, but .* has 2: another version"):
        read_checkpoint(path)


@pytest.mark.parametrize("text", ["", "[]", '{"format_version": 1}', '{"format_version": 1, "files": {}}', "[" * 5000])
def test_checksums_of_another_form_are_damage(text: str, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, step=1, values={}, tensors={})
    (path / "checksums.json").write_text(text)
    with pytest.raises(RunError, match="a checkpoint must be whole, but of"):
        read_checkpoint(path)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, step=1, values={"a": 1}, tensors={"a": torch.ones(1)})
    for file in path.iterdir():
        whole = file.read_bytes()
        for place in range(0, len(whole), 7):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(RunError):
                read_checkpoint(path)
        file.write_bytes(whole)
    assert read_checkpoint(path).values == {"a": 1}


def test_a_full_disk_leaves_the_checkpoints_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path, step=1, values={}, tensors=TENSORS)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="the disk is full; free some space"):
        write_checkpoint(tmp_path, step=2, values={}, tensors=TENSORS)
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000000001"]
    assert read_checkpoint(list_checkpoints(tmp_path)[0]).step == 1

"""Weights as safetensors, written whole or not at all; nothing is unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from rankelastor.errors import RunError
from rankelastor.storage import whole_file


def save_weights(module: nn.Module, path: Path) -> None:
    """Write the parameters of ``module`` to ``path``.

    Raises:
        StorageError: the disk is full or the place cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    with whole_file(path) as temporary:
        # written by Python: a full disk is then an OSError, which whole_file explains
        temporary.write_bytes(save(tensors))


def load_weights(module: nn.Module, path: Path) -> None:
    """Read the parameters of ``module`` from ``path``, in place.

    Raises:
        RunError: the file is missing or damaged, or holds another model's parameters.
    """
    set_weights(module, read_weights(path), source=path)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by name.

    Raises:
        RunError: the file is missing or damaged.
    """
    if not path.is_file():
        raise RunError(f"weights must lie at {path}, but there is no such file; was the training stopped early?")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise RunError(f"{path} must hold safetensors, but cannot be read: {error}") from error


def set_weights(module: nn.Module, tensors: Mapping[str, Tensor], *, source: Path) -> None:
    """Copy tensors into the parameters of ``module``, by name.

    Args:
        module: changed in place.
        tensors: one for each of its parameters and buffers.
        source: the file that messages name.

    Raises:
        RunError: they are another model's.
    """
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise RunError(f"{source} must hold the parameters of this model, but {error}") from error

"""Read and write weights as safetensors; files are written atomically, and nothing is unpickled."""

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
        StorageError: the disk is full or the path cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    with whole_file(path) as temporary:
        # Python writes the file, so that a full disk is an OSError, which whole_file explains.
        temporary.write_bytes(save(tensors))


def load_weights(module: nn.Module, path: Path) -> None:
    """Read the parameters of ``module`` from ``path``, in place.

    Raises:
        RunError: the file is missing or damaged, or holds the parameters of another model.
    """
    set_weights(module, read_weights(path), source=path)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by name.

    Raises:
        RunError: the file is missing or damaged.
    """
    if not path.is_file():
        raise RunError(f"the weights must be in {path}, but there is no such file; was the training stopped early?")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise RunError(f"{path} must hold safetensors, but cannot be read: {error}") from error


def set_weights(module: nn.Module, tensors: Mapping[str, Tensor], *, source: Path) -> None:
    """Copy tensors into the parameters of ``module``, by name.

    Args:
        module: the module to change in place.
        tensors: one tensor for each of its parameters and buffers.
        source: name of the file in messages.

    Raises:
        RunError: the tensors are those of another model.
    """
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise RunError(f"{source} must hold the parameters of this model, but {error}") from error

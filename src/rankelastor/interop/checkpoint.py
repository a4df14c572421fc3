"""Read a checkpoint of the published code: tensors by name, nothing else."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rankelastor.errors import SettingsError

_WRAPPER = re.compile(r"^module\.")
_TABLE = re.compile(r"^(?:.*\.)?embedding_layers\.(?P<feature>.+)\.weight$")
_ENCODER = "feature_encoders."


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint: those of the network by name, and the weight of each feature's embedding.

    A categorical feature has rows (value, embedding_dim), a numeric one a vector (embedding_dim, 1).
    """

    network: Mapping[str, Tensor]
    embeddings: Mapping[str, Tensor]


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read what ``torch.save(model.state_dict(), path)`` wrote.

    This is the one place of the library where anything is unpickled, by PyTorch's unpickler that makes tensors and
    plain containers alone (``weights_only=True``); a file that holds anything else is refused.

    Raises:
        SettingsError: the file is missing, is no such checkpoint, or holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise SettingsError(f"a checkpoint must be a file, but {path} is none")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SettingsError(
            f"{path} must hold tensors alone, as torch.save(model.state_dict(), ...) writes them, but holds more, "
            f"which is not unpickled because it could run code: {str(error).splitlines()[0]}"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise SettingsError(f"{path} must be a checkpoint of PyTorch, but cannot be read: {error}") from None
    if not isinstance(found, Mapping) or not found or not all(isinstance(each, Tensor) for each in found.values()):
        raise SettingsError(f"{path} must map names to tensors, but does not; save model.state_dict() alone")
    return _sorted_out({_WRAPPER.sub("", str(name)): tensor.detach() for name, tensor in found.items()}, path)


def _sorted_out(tensors: Mapping[str, Tensor], path: Path) -> Checkpoint:
    if encoders := [name for name in tensors if _ENCODER in name]:
        raise SettingsError(f"{path} holds maps behind embeddings, {encoders[0]}, which have no equal in an import")
    tables = {name: match["feature"] for name in tensors if (match := _TABLE.match(name))}
    if not tables:
        raise SettingsError(
            f"{path} must hold the embeddings of features, embedding_layers.NAME.weight, but holds none"
        )
    network = {name: tensor for name, tensor in tensors.items() if name not in tables}
    return Checkpoint(network, {feature: tensors[name] for name, feature in tables.items()})

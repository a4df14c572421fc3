"""Make the initial ranker of a training."""

from __future__ import annotations

import torch

from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import SettingsError
from rankelastor.models.build import build_ranker
from rankelastor.models.catalogue import ModelSettings
from rankelastor.models.cost import Cost
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.rows_elsewhere import RowsElsewhere
from rankelastor.training.initial_vectors import set_pretrained_vectors

_WORDS_OF_THE_CPU_ALLOCATOR = ("DefaultCPUAllocator", "can't allocate memory")
"""PyTorch's CPU allocator raises a plain RuntimeError, which can only be recognised by these words."""


def fresh_ranker(
    settings: ModelSettings,
    dataset: PreparedDataset,
    *,
    cost: Cost,
    device: torch.device,
    elsewhere: RowsElsewhere | None = None,
) -> Ranker:
    """Build a ranker with drawn initial values (see ``nn/own_draws.py``) and the pretrained vectors of the data set.

    Args:
        settings: settings of the model.
        dataset: data set with the features and their vectors.
        cost: cost of the ranker, for the error message.
        device: device of the ranker.
        elsewhere: what holds the embedding rows in several processes; None: the ranker has them.

    Raises:
        SettingsError: the ranker does not fit in memory, or its sizes do not fit each other.
    """
    try:
        return set_pretrained_vectors(build_ranker(settings, dataset.schema, elsewhere=elsewhere), dataset).to(device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        num_parameters = cost.dense_parameters + cost.embedding_parameters
        raise SettingsError(
            f"the model must fit in memory, but {num_parameters:,} parameters take {4e-9 * num_parameters:,.1f} GB; "
            "try a smaller model.token_dim, model.num_tokens or model.embedding_dim"
        ) from error


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether an allocator of PyTorch raised the error.

    Example:
        >>> is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory")), is_out_of_memory(RuntimeError("a bug"))
        (True, False)
    """
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error) for words in _WORDS_OF_THE_CPU_ALLOCATOR
    )

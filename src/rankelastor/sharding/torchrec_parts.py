"""TorchRec, the engine that shards embedding tables: imported where it is used, since the core does without it."""

from __future__ import annotations

import logging
import warnings
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from rankelastor.errors import SettingsError
from rankelastor.extras import how_to_install

WITHOUT_DEPENDENCIES = "torchrec==1.8.0"
"""What is installed without what it asks for, the build of FBGEMM for CUDA; the extra has all else."""
_PARTS = {
    "fbgemm_gpu.split_table_batched_embeddings_ops_training": ("WeightDecayMode",),
    "torchrec": ("EmbeddingCollection", "EmbeddingConfig", "KeyedJaggedTensor"),
    "torchrec.distributed": ("DistributedModelParallel",),
    "torchrec.distributed.embedding": ("EmbeddingCollectionSharder",),
    "torchrec.distributed.planner": ("EmbeddingShardingPlanner", "Topology"),
    "torchrec.distributed.planner.types": ("ParameterConstraints",),
    "torchrec.distributed.sharding_plan": (
        "column_wise",
        "construct_module_sharding_plan",
        "row_wise",
        "table_wise",
    ),
    "torchrec.distributed.types": ("ShardingEnv", "ShardingPlan"),
    "torch.distributed.optim": ("_apply_optimizer_in_backward",),
    "torchrec.optim.rowwise_adagrad": ("RowWiseAdagrad",),
}


@cache
def torchrec_parts() -> Any:
    """Import what is used of TorchRec, without the warnings that its imports give, as attributes of one object.

    Raises:
        SettingsError: it is not installed, or does not go with this PyTorch.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = {name: getattr(import_module(module), name) for module, names in _PARTS.items() for name in names}
    except (ImportError, AttributeError, OSError, RuntimeError) as error:  # libraries for another PyTorch: OSError
        raise SettingsError(
            "TorchRec must be installed for training.distributed.embedding=sharded, but it cannot be imported "
            f"({_first_line(error)}); try {install_command()}; or try training.distributed.embedding=replicated"
        ) from error
    found["apply_in_backward"] = found.pop("_apply_optimizer_in_backward")  # TorchRec's own deprecated name is this one
    logging.getLogger("torch.fx._symbolic_trace").addFilter(_is_no_word_of_names)
    return SimpleNamespace(**found)


def install_command() -> str:
    """Return the two commands that install TorchRec beside the PyTorch that is there.

    Example:
        >>> install_command().endswith("pip install --no-deps torchrec==1.8.0")
        True
    """
    return f"{how_to_install('distributed')} && pip install --no-deps {WITHOUT_DEPENDENCIES}"


def _is_no_word_of_names(record: logging.LogRecord) -> bool:
    """Leave out PyTorch's advice to TorchRec that a function has a new name."""
    return "is_fx_tracing" not in record.getMessage()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:120]

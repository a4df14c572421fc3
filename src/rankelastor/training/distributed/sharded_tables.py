"""Shard the embedding rows of a training over its processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import torch

from rankelastor.collectives.process_group import GroupProcesses
from rankelastor.collectives.processes import Processes
from rankelastor.config.training import TrainingSettings
from rankelastor.errors import SettingsError
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.sharding.layout import TableLayout
from rankelastor.sharding.plan import TablePlan, divide
from rankelastor.sharding.tables import ShardedTables


def shard(
    embedding: FieldEmbedding,
    *,
    names: Sequence[str],
    settings: TrainingSettings,
    processes: Processes,
    device: torch.device,
) -> ShardedTables:
    """Make the tables that hold the rows of an embedding, which are zero until they are filled.

    The first process plans, and the others follow its plan.

    Args:
        embedding: the embedding, whose values are not looked at.
        names: names of its features with ids.
        settings: settings of training.
        processes: those that train together.
        device: device of the training.

    Raises:
        SettingsError: TorchRec is missing, the rows cannot be divided so, or the device is not a CPU.
    """
    assert isinstance(processes, GroupProcesses), "several processes are joined by a group"
    if device.type != "cpu":
        raise SettingsError(
            "training.distributed.embedding=sharded must train on CPUs so far, but the device is "
            f"{device.type}; try training.device=cpu, or training.distributed.embedding=replicated"
        )
    layout = TableLayout.of(embedding, names)
    own = divide(settings.distributed.plan, layout, size=processes.world.size)
    told = processes.from_first(lambda: [asdict(plan) for plan in own])
    optimiser = settings.optimiser
    return ShardedTables(
        processes,
        layout,
        [TablePlan(**plan) for plan in told],
        learning_rate=optimiser.embedding_learning_rate or optimiser.learning_rate,
        l2=optimiser.embedding_l2,
    )

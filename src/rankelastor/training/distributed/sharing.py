"""What a training shares with other processes: nothing, if it is alone."""

from __future__ import annotations

from rankelastor.collectives.processes import Processes
from rankelastor.execution.slices import Loss
from rankelastor.models.ranker import Ranker
from rankelastor.sharding.tables import ShardedTables
from rankelastor.training.distributed.gradients import GradientExchange, OwnGradient, SharedGradient
from rankelastor.training.distributed.objective import SharedObjective
from rankelastor.training.distributed.sharded_rows import ShardedRows
from rankelastor.training.distributed.stopping_together import SharedInterruption
from rankelastor.training.interruption import Interruption


def exchange_of(processes: Processes, interruption: Interruption) -> GradientExchange:
    """Make the exchange of a step; requests to stop that are shared travel with it."""
    if processes.world.size == 1:
        return OwnGradient()
    return SharedGradient(processes, interruption if isinstance(interruption, SharedInterruption) else None)


def sharded_rows_of(ranker: Ranker, exchange: GradientExchange) -> ShardedRows | None:
    """Make the part of a step that concerns the rows of a ranker that lie in several processes; None if it has them."""
    tables = ranker.embedding.elsewhere
    if tables is None:
        return None
    assert isinstance(tables, ShardedTables), "rows that a training has elsewhere are sharded"
    assert isinstance(exchange, SharedGradient), "sharded rows have several processes"
    return ShardedRows(tables, exchange)


def shared_objective(objective: Loss, *, processes: Processes) -> Loss:
    """Make the objective of a batch of which each process has a share."""
    return objective if processes.world.size == 1 else SharedObjective(objective, processes)


def interruption_of(processes: Processes) -> Interruption:
    """Make what hears requests to stop: all processes stop after the same step."""
    return Interruption() if processes.world.size == 1 else SharedInterruption()

"""What a training shares with other processes: nothing, if it is alone."""

from __future__ import annotations

from rankelastor.collectives.processes import Processes
from rankelastor.execution.slices import Loss
from rankelastor.training.distributed.gradients import GradientExchange, OwnGradient, SharedGradient
from rankelastor.training.distributed.objective import SharedObjective
from rankelastor.training.distributed.stopping_together import SharedInterruption
from rankelastor.training.interruption import Interruption


def exchange_of(processes: Processes, interruption: Interruption) -> GradientExchange:
    """Make the exchange of a step; requests to stop that are shared travel with it."""
    if processes.world.size == 1:
        return OwnGradient()
    return SharedGradient(processes, interruption if isinstance(interruption, SharedInterruption) else None)


def shared_objective(objective: Loss, *, processes: Processes) -> Loss:
    """Make the objective of a batch of which each process has a share."""
    return objective if processes.world.size == 1 else SharedObjective(objective, processes)


def interruption_of(processes: Processes) -> Interruption:
    """Make what hears requests to stop: all processes stop after the same step."""
    return Interruption() if processes.world.size == 1 else SharedInterruption()

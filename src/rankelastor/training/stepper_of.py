"""Make the stepper of a training."""

from __future__ import annotations

from rankelastor.execution.phases import PhaseListener, ignore_phase
from rankelastor.training.distributed.sharing import exchange_of, sharded_rows_of, shared_objective
from rankelastor.training.interruption import Interruption
from rankelastor.training.objective import objective_of
from rankelastor.training.step import Stepper
from rankelastor.training.training import Training


def stepper_of(training: Training, interruption: Interruption, *, on_phase: PhaseListener = ignore_phase) -> Stepper:
    """Make what takes the steps of a training, alone or with other processes.

    Args:
        training: the ranker, its data and settings.
        interruption: requests to stop, which several processes hear of in a step.
        on_phase: called at the beginning of each phase of a step, for the profile.

    Raises:
        SettingsError: lazy updates are asked for on a device other than the CPU.
    """
    settings = training.settings
    exchange = exchange_of(training.processes, interruption)
    objective = objective_of(settings, training.tasks, training.ranker)
    return Stepper(
        training.ranker,
        settings.optimiser,
        settings.execution,
        batch_size=settings.batch_size,
        objective=shared_objective(objective, processes=training.processes),
        generator=training.generators.own,
        averaged_weights=settings.averaged_weights,
        exchange=exchange,
        sharded=sharded_rows_of(training.ranker, exchange),
        clips_rows=not settings.distributed.is_sharded,
        on_phase=on_phase,
    )

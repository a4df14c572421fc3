"""What the processes of a training exchanged, as figures of its result."""

from __future__ import annotations

from collections.abc import Mapping

from rankelastor.collectives.processes import Processes
from rankelastor.runs.result import ProcessFigures

_OF_STEPS = ("dense", "rows", "row values", "row gradients", "totals", "statistics", "logits", "labels")


def exchanged(processes: Processes, *, num_steps: int, plan: Mapping[str, str] | None = None) -> ProcessFigures | None:
    """Collect the figures of several processes; None of one.

    Args:
        processes: those that trained together.
        num_steps: number of steps.
        plan: how sharded tables are divided; None if there are none.
    """
    if processes.world.size == 1:
        return None
    traffic = processes.traffic
    return ProcessFigures(
        number=processes.world.size,
        plan=plan,
        exchange_seconds=round(sum(traffic.seconds.get(kind, 0.0) for kind in _OF_STEPS), 3),
        bytes_per_step={
            kind: round(traffic.num_bytes[kind] / max(1, num_steps)) for kind in _OF_STEPS if kind in traffic.num_bytes
        },
    )

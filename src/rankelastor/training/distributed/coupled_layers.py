"""Let layers that couple examples see the whole batch, of which each process has a share."""

from __future__ import annotations

from torch import nn

from rankelastor.collectives.differentiable import DifferentiableSum
from rankelastor.collectives.processes import Processes
from rankelastor.errors import SettingsError
from rankelastor.execution.slices import couples_examples
from rankelastor.nn.shared_statistics import SharedStatistics


def share_statistics(model: nn.Module, processes: Processes) -> None:
    """Give each layer that couples examples the sums over the processes; one process alone needs none.

    Raises:
        SettingsError: a layer couples examples and does not know how to share its statistics.
    """
    if processes.world.size == 1:
        return
    over_ranks = DifferentiableSum(processes)
    for name, module in model.named_modules():
        if isinstance(module, SharedStatistics):
            module.over_ranks = over_ranks
        elif couples_examples(module):
            raise SettingsError(
                f"each layer that couples the examples of a batch must share its statistics to be trained by "
                f"{processes.world.size} processes, but {name} ({type(module).__name__}) does not; train in one "
                "process, or make it a rankelastor.nn.shared_statistics.SharedStatistics"
            )

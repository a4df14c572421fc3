"""What all processes but the first do: take part in each step and each scoring, and write nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rankelastor.collectives.processes import Processes
from rankelastor.evaluation.scoring import Predictions
from rankelastor.execution.cores import borrowed_cores
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.checkpointer import StateWriter
from rankelastor.training.distributed.agreement import agreed_inputs
from rankelastor.training.distributed.final_scores import score_test
from rankelastor.training.distributed.sharded_checkpoints import PartWriter, SharedTables
from rankelastor.training.distributed.sharded_state import give_rows, share_best_weights, tables_of
from rankelastor.training.distributed.state import share_checkpoint
from rankelastor.training.interruption import Interruption
from rankelastor.training.loop import Start, fit
from rankelastor.training.side_by_side import lend_generators
from rankelastor.training.snapshot import Snapshot


def follow(
    recipe: Recipe,
    *,
    processes: Processes,
    start_from: str | Path | None = None,
    interruption: Interruption | None = None,
    test: bool = True,
) -> None:
    """Train with the first process, which calls ``train`` with the same recipe.

    Args:
        recipe: data, model and training, the same in all processes.
        processes: the processes, of which this is not the first.
        start_from: the folder of the run to go on from, as the first process has it.
        interruption: hands requests to stop to the training.
        test: whether the test split is scored at the end, as the first process says.

    Raises:
        LostProcessError: another process ended.
        RunError: the recipe or the data differ between processes, or training diverged.
    """
    assert not processes.world.is_first, "the first process trains and writes"
    with borrowed_cores(recipe.training.execution.threads):
        inputs = agreed_inputs(recipe, processes, start_from=start_from)
        checkpoint = share_checkpoint(None, processes)
        training = inputs.training(processes)
        carried = inputs.carried(training.ranker) if checkpoint is None else None
        with lend_generators(training.generators):
            tables = tables_of(training.ranker)
            writer: StateWriter = _NoCheckpoints()
            if tables is not None:
                writer = PartWriter(SharedTables(tables, recipe.training.checkpoint, interruption))
            fit(
                training,
                save_best=lambda _: give_rows(training.ranker),
                checkpointer=writer,
                start=Start(checkpoint=checkpoint, best_predictions=lambda: _none_of(training.tasks), carried=carried),
                interruption=interruption,
            )
            if test:
                share_best_weights(training.ranker, None, processes)
                score_test(inputs, training.ranker.eval(), processes)


def _none_of(tasks: Any) -> Predictions:
    """Stand for the best predictions so far, which the first process has."""
    return Predictions(label=np.zeros((0, len(tasks)), np.float32), probability=np.zeros((0, len(tasks))), tasks=tasks)


class _NoCheckpoints:
    """Leaves checkpoints to the first process."""

    def after_step(self, step: int, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        """Write nothing."""

    def at_end(self, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        """Write nothing."""

    def save(self, snapshot: Snapshot) -> None:
        """Write nothing."""

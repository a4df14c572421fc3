"""Score the test split with the best weights, by all processes."""

from __future__ import annotations

from rankelastor.collectives.processes import Processes
from rankelastor.evaluation.scoring import Predictions
from rankelastor.models.ranker import Ranker
from rankelastor.progress import ProgressListener
from rankelastor.training.distributed.scoring import score_together
from rankelastor.training.epoch_batches import scoring_loader
from rankelastor.training.inputs import RunInputs


def score_test(
    inputs: RunInputs, ranker: Ranker, processes: Processes, *, progress: ProgressListener | None = None
) -> Predictions | None:
    """Score the test split; None if there is none. Only the first process has all of it.

    Args:
        inputs: inputs of the run.
        ranker: the model with the best weights, in evaluation mode.
        processes: those that trained it.
        progress: receives the progress of scoring.
    """
    recipe, dataset = inputs.recipe, inputs.dataset
    if "test" not in dataset.splits:
        return None
    return score_together(
        ranker,
        scoring_loader(dataset, "test", recipe.training, processes.world),
        recipe.training.execution,
        tasks=dataset.schema.tasks,
        odds=recipe.odds,
        processes=processes,
        progress=progress,
    )

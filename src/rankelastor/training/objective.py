"""Make the objective that the settings of training name."""

from __future__ import annotations

from collections.abc import Sequence

from rankelastor.config.training import TrainingSettings
from rankelastor.models.ranker import Ranker
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.objectives.within_groups import WithinGroups, listwise_loss, pairwise_loss

_RANKING = {"pairwise": pairwise_loss, "listwise": listwise_loss}


def objective_of(
    settings: TrainingSettings, tasks: Sequence[str], ranker: Ranker | None = None
) -> BinaryCrossEntropy | WithinGroups:
    """Make the objective of ``training.objective``, with the weights of tasks and of positive rows.

    Args:
        settings: settings of training.
        tasks: names of the label columns.
        ranker: the model, which says where parts of its network have their labels from; None for one without parts.

    Example:
        >>> type(objective_of(TrainingSettings(), ["click"])).__name__
        'BinaryCrossEntropy'
    """
    named = settings.task_weights
    task_weights = [named.get(task, 1.0) for task in tasks] if named else None
    cross_entropy = BinaryCrossEntropy(
        task_weights,
        positive_weight=settings.positive_weight,
        parts_learn_from="whole" if ranker is None else ranker.parts_learn_from,
        part_weight=1.0 if ranker is None else ranker.part_weight,
    )
    objective = settings.objective
    if not objective.within_groups:
        return cross_entropy
    ranking = _RANKING[objective.kind]
    return WithinGroups(ranking, cross_entropy, factor=objective.cross_entropy, task_weights=task_weights)

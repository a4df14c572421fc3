"""What a training with sharded rows does otherwise than the published protocol."""

from __future__ import annotations

from rankelastor.config.training import TrainingSettings
from rankelastor.sharding.plan import shown
from rankelastor.sharding.tables import ShardedTables


def protocol_differences(settings: TrainingSettings) -> tuple[str, ...]:
    """List in words what differs from the published protocol because embedding rows are sharded; nothing otherwise.

    The list is the same for one process, which trains by the same rules.

    Example:
        >>> protocol_differences(TrainingSettings())
        ()
    """
    if not settings.distributed.is_sharded:
        return ()
    rate = settings.optimiser.embedding_learning_rate or settings.optimiser.learning_rate
    rule = f"embedding rows are updated by row-wise Adagrad at {rate:g}, not by Adam: TorchRec has no Adam for tables"
    found = [f"{rule} on CPUs"]
    if settings.optimiser.clip_norm is not None:
        found.append(
            f"clipping at {settings.optimiser.clip_norm:g} is by the norm of the dense gradients alone, and leaves "
            "embedding rows out: they are updated in the backward pass, where no process knows the norm of all"
        )
    if settings.optimiser.embedding_l2:
        found.append(
            f"the L2 of {settings.optimiser.embedding_l2:g} counts for the rows that a batch looks up, not for all rows"
        )
    if settings.distributed.plan == "column_wise":
        found.append("column-wise plans keep a sum of squares for each part of a row, where row-wise Adagrad has one")
    return tuple(found)


def plan_in_words(tables: ShardedTables | None) -> dict[str, str] | None:
    """Say how each table is divided, by the name of its field; None if rows are not sharded."""
    return None if tables is None else dict(shown(tables.plans, tables.layout))

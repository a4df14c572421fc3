"""The training batches of an epoch: shuffled, with some rare values replaced, prepared ahead by a thread."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from rankelastor.collectives.world import World
from rankelastor.config.training import TrainingSettings
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.loading.read_ahead import ReadAhead
from rankelastor.data.loading.share import ShareOfRows, StretchOfRows
from rankelastor.data.loading.thinned import RowsOfEpochs, ThinnedNegatives
from rankelastor.data.prepared import PreparedDataset, PreparedSplit
from rankelastor.data.remote_shards import RemoteShards
from rankelastor.errors import SettingsError
from rankelastor.execution.device_copies import copies_to
from rankelastor.schema import Batch, SplitName
from rankelastor.training.rare_as_unseen import RareAsUnseen


def training_loader(
    dataset: PreparedDataset,
    settings: TrainingSettings,
    world: World | None = None,
    *,
    offset: NDArray[np.float32] | None = None,
) -> BatchLoader:
    """Make the loader of the train split, shuffled in each epoch by ``training.order`` and ``training.seed``.

    With ``training.negatives_kept`` below 1 each epoch has a new sample of the rows with label 0, with
    ``training.train_share`` below 1 each has the same sample of all rows. An objective within groups keeps the rows of
    a group together, unless the order is by windows. Of each batch a process of a world gets its share. ``offset`` is
    that of the batches, see ``BatchLoader``.

    Raises:
        SettingsError: the rows lie at an address, memory does not hold them, and the order is uniform.
    """
    split = dataset.split("train")
    _require_local_order(split, settings, place=str(dataset.place))
    return BatchLoader(
        split,
        batch_size=settings.batch_size,
        shuffle=True,
        order=settings.order,
        seed=settings.seed,
        world=world,
        whole_groups=settings.objective.within_groups and settings.order.kind == "uniform",
        thinned=_rows_of_epochs(split, settings),
        offset=offset,
    )


def _require_local_order(split: PreparedSplit, settings: TrainingSettings, *, place: str) -> None:
    """Raise if each batch would read rows from all over an address again and again."""
    shards = split.shards
    if not isinstance(shards, RemoteShards) or shards.all_fit:
        return
    sizes = f"{shards.num_bytes / 2**30:.3g} GiB, and {shards.most_bytes / 2**30:.3g} GiB are kept in memory"
    if settings.order.kind == "uniform":
        raise SettingsError(
            f"training.order must be {{kind: window}} for rows at an address that memory does not hold, but it is "
            f"uniform and the train rows of {place} take {sizes}; set it, or copy the folder to a disk"
        )
    window = 2 * settings.order.window_rows * shards[0].row_bytes
    if window > shards.most_bytes:
        raise SettingsError(
            f"training.order.window_rows must be lower, since twice its rows must fit in what is kept in memory, but "
            f"{settings.order.window_rows} was given, and the train rows of {place} take {sizes}; try "
            f"{settings.order.window_rows * shards.most_bytes // window}"
        )


def _rows_of_epochs(split: PreparedSplit, settings: TrainingSettings) -> RowsOfEpochs | None:
    if settings.negatives_kept < 1:
        return ThinnedNegatives(split, share=settings.negatives_kept, seed=settings.seed)
    return ShareOfRows(split, share=settings.train_share) if settings.train_share < 1 else None


def scoring_loader(
    dataset: PreparedDataset, split: SplitName, settings: TrainingSettings, world: World | None = None
) -> BatchLoader:
    """Make the loader of a split in its own order, in batches of ``training.evaluation_batch_size``.

    A process of a world gets a stretch of the rows; the stretches of all ranks, one after the other, are the split.

    Raises:
        DataError: there are fewer rows than processes.
    """
    rows = dataset.split(split)
    stretch = None if world is None or world.size == 1 else StretchOfRows.of(rows, world)
    return BatchLoader(rows, batch_size=settings.evaluation_batch_size, thinned=stretch)


def epoch_batches(
    train: BatchLoader,
    *,
    epoch: int,
    read_ahead: int,
    device: torch.device,
    rare_as_unseen: RareAsUnseen | None,
    first_batch: int = 0,
) -> ReadAhead[Batch]:
    """Iterate over the batches of one epoch on the device; use the result as a context manager.

    Args:
        train: loader of the train split.
        epoch: number of the epoch, counted from 1.
        read_ahead: number of batches that a thread prepares ahead; 0 prepares each when it is needed.
        device: device of the batches.
        rare_as_unseen: replacement of rare ids in each batch; None replaces nothing.
        first_batch: number of batches of the epoch that are left out, because they are done.
    """
    source = train.epoch(epoch, first_batch=first_batch)
    if rare_as_unseen is not None:
        placed = zip(source, map(train.place_in, range(first_batch, len(train))), strict=True)
        source = rare_as_unseen.replace_in(placed, first_step=(epoch - 1) * len(train) + first_batch + 1)
    return ReadAhead(source, depth=read_ahead, prepare=copies_to(device))

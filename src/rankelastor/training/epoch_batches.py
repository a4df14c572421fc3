"""The batches that training steps learn from: in the order of the settings, rare values replaced, made ahead."""

from __future__ import annotations

import torch

from rankelastor.config.training import TrainingSettings
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.loading.read_ahead import ReadAhead
from rankelastor.data.prepared import PreparedDataset
from rankelastor.execution.device_copies import copies_to
from rankelastor.schema import Batch, SplitName
from rankelastor.training.rare_as_unseen import RareAsUnseen


def training_loader(dataset: PreparedDataset, settings: TrainingSettings) -> BatchLoader:
    """Read the train split, shuffled anew each epoch as ``training.order`` and ``training.seed`` say."""
    return BatchLoader(
        dataset.split("train"),
        batch_size=settings.batch_size,
        shuffle=True,
        order=settings.order,
        seed=settings.seed,
    )


def scoring_loader(dataset: PreparedDataset, split: SplitName, settings: TrainingSettings) -> BatchLoader:
    """Read a split in its order, in batches of ``training.evaluation_batch_size``."""
    return BatchLoader(dataset.split(split), batch_size=settings.evaluation_batch_size)


def epoch_batches(
    train: BatchLoader,
    *,
    epoch: int,
    read_ahead: int,
    device: torch.device,
    rare_as_unseen: RareAsUnseen | None,
) -> ReadAhead[Batch]:
    """Give the batches of one epoch on the device; use it as a context manager.

    Args:
        train: gives the batches.
        epoch: counted from 1.
        read_ahead: batches made ahead of use by a thread; 0 makes each when it is asked for.
        device: where the batches go.
        rare_as_unseen: changes each batch; None leaves it as it is.
    """
    source = train.epoch(epoch)
    if rare_as_unseen is not None:
        source = rare_as_unseen.over(source, first_step=(epoch - 1) * len(train) + 1)
    return ReadAhead(source, depth=read_ahead, prepare=copies_to(device))

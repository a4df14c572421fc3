"""Foretell the memory of a training from its settings, before anything is allocated."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from rankelastor.config.training import TrainingSettings
from rankelastor.data.prepared import PreparedDataset
from rankelastor.execution.cores import choose_num_threads
from rankelastor.execution.slices import SLICE_BYTES, couples_examples
from rankelastor.models.cost import blank_batch, unfilled_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.schema import FeatureSchema
from rankelastor.training.updates import updates_rows_lazily

FLOAT_BYTES = 4
_SMALLEST_SLICE = 32
_METRIC_BYTES_PER_ROW = 80
"""Labels, probabilities and their sorted copies while a split is measured."""
_PROBE_EXAMPLES = 2
_AHEAD = 2
"""Batches that are in work beside those read ahead."""
OTHER_BYTES = 120_000_000
"""What libraries, threads and their buffers take when they are first used; measured on small recipes."""


@dataclass(frozen=True)
class MemoryForecast:
    """Bytes at the peak of a training, beyond what the process holds before it.

    Attributes:
        weights: parameters and buffers.
        gradients: gradients, those of several slices or of two steps at once included.
        optimiser: moments of Adam, or sums of row-wise Adagrad, and averaged weights.
        activations: what the layers of the slices that are computed at once keep for the backward pass.
        lookups: embedding rows of a batch, their gradients, and batches that are read ahead.
        evaluation: the scored valid split, and the copies that storing the weights takes, as far as they exceed what
            a step needs.
        other: libraries, threads and their buffers.
    """

    weights: int
    gradients: int
    optimiser: int
    activations: int
    lookups: int
    evaluation: int
    other: int = OTHER_BYTES

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(asdict(self).values())

    def __str__(self) -> str:
        """List the parts in GB."""
        return ", ".join(f"{name} {num_bytes / 1e9:,.1f}" for name, num_bytes in asdict(self).items()) + " GB"


def forecast_memory(
    model: RankerSettings,
    training: TrainingSettings,
    dataset: PreparedDataset,
    *,
    device: torch.device,
    num_processes: int = 1,
) -> MemoryForecast:
    """Foretell the peak memory of a training in each process; nothing is allocated: the ranker is made without values.

    docs/log.md compares a forecast with a measured peak.

    Args:
        model: settings of the ranker.
        training: settings of training.
        dataset: the prepared data, for its features and numbers of rows.
        device: device of the training; on CUDA it is the memory of the device.
        num_processes: number of processes that train together: each has a share of a batch, and of sharded tables.

    Raises:
        SettingsError: sizes of the model do not fit each other.
    """
    schema = dataset.schema
    ranker = unfilled_ranker(model, schema)
    batch_size = -(-min(training.batch_size, dataset.split("train").num_rows) // num_processes)
    table_shares = num_processes if training.distributed.is_sharded else 1
    sizes = _Sizes.of(ranker, schema, batch_size=batch_size, table_shares=table_shares)
    on_cpu = device.type != "cuda"
    lookups_of_step, num_rows = training.batch_size * sizes.num_columns, len(ranker.embedding.table)
    by_row = training.optimiser.embedding_rule == "rowwise_adagrad"
    lazily = updates_rows_lazily(training.execution, device, num_rows=num_rows, lookups=lookups_of_step)
    lazy = on_cpu and (by_row or lazily)
    num_threads = choose_num_threads(ranker, batch_size) if on_cpu else 1
    slice_examples = (
        _slice_examples(sizes, ranker, training, num_threads=num_threads, num_processes=num_processes)
        if on_cpu
        else batch_size
    )
    num_slices = -(-batch_size // slice_examples)
    at_once = min(num_threads, num_slices)
    held_by_slices = at_once * (2 if num_slices > at_once else 1)
    dense_gradients = sizes.dense * (held_by_slices + 1) if on_cpu else sizes.dense
    table_gradients = sizes.touched if lazy else 2 * sizes.table
    step = dense_gradients + table_gradients + round(at_once * slice_examples * sizes.kept_per_example)
    row_bytes = FLOAT_BYTES * (sizes.num_columns + len(schema.numeric) + len(schema.tasks))
    lookups = 3 * sizes.lookups + batch_size * row_bytes * (training.execution.read_ahead + _AHEAD)
    held = sizes.dense + (0 if lazy else sizes.table)
    storing = held + 2 * (sizes.dense + sizes.table + sizes.buffers) if on_cpu else 0
    if table_shares > 1:  # best weights are stored in pieces, and checkpoints from where the rows lie
        storing = held + 2 * (sizes.dense + sizes.buffers) + sizes.table
    scored = dataset.split("valid").num_rows * len(schema.tasks) * _METRIC_BYTES_PER_ROW if on_cpu else 0
    averages = 0 if training.averaged_weights is None else sizes.dense + sizes.table
    return MemoryForecast(
        weights=sizes.dense + sizes.table + sizes.buffers,
        gradients=dense_gradients + table_gradients,
        optimiser=2 * sizes.dense + (FLOAT_BYTES * num_rows // table_shares if by_row else 2 * sizes.table) + averages,
        activations=step - dense_gradients - table_gradients,
        lookups=lookups,
        evaluation=max(0, max(storing, held + scored) - step - lookups),
    )


@dataclass(frozen=True)
class _Sizes:
    """Bytes of the parts of a ranker and of a batch: all but ``num_columns``, the look-ups of an example."""

    dense: int
    table: int
    buffers: int
    lookups: int
    kept_per_example: float
    num_columns: int

    @classmethod
    def of(cls, ranker: Ranker, schema: FeatureSchema, *, batch_size: int, table_shares: int) -> _Sizes:
        table = FLOAT_BYTES * ranker.embedding.table.numel()
        num_columns = ranker.embedding.num_columns
        return cls(
            dense=FLOAT_BYTES * sum(parameter.numel() for parameter in ranker.parameters()) - table,
            table=table // table_shares,
            buffers=FLOAT_BYTES * sum(buffer.numel() for buffer in ranker.buffers()),
            lookups=FLOAT_BYTES * batch_size * num_columns * ranker.embedding.table.shape[1],
            kept_per_example=_kept_per_example(ranker, schema),
            num_columns=num_columns,
        )

    @property
    def touched(self) -> int:
        """Gradients of the rows that a batch looks up, and copies of their weights and moments."""
        return 3 * min(self.table, self.lookups)


def _slice_examples(
    sizes: _Sizes, ranker: Ranker, training: TrainingSettings, *, num_threads: int, num_processes: int
) -> int:
    """Foretell ``SlicedGradients.slice_examples``."""
    batch_size = -(-training.batch_size // num_processes)
    if couples_examples(*ranker.modules()) or training.objective.within_groups:
        return batch_size
    if training.execution.slice_examples is not None:
        return min(batch_size, training.execution.slice_examples)
    most = max(_SMALLEST_SLICE, int(SLICE_BYTES / max(1.0, sizes.kept_per_example)))
    return min(most, -(-batch_size // num_threads))


def _kept_per_example(ranker: Ranker, schema: FeatureSchema) -> float:
    """Count the bytes that the layers keep per example for the backward pass."""
    kept: dict[int, torch.Tensor] = {}  # tensors are kept alive, so that no other storage gets their address

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[_address(tensor)] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        logits = ranker(blank_batch(ranker, schema, num_examples=_PROBE_EXAMPLES))
    del logits
    own = {_address(tensor) for tensor in (*ranker.parameters(), *ranker.buffers())}
    sizes = [tensor.untyped_storage().nbytes() for address, tensor in kept.items() if address not in own]
    return sum(sizes) / _PROBE_EXAMPLES


def _address(tensor: torch.Tensor) -> int:
    """Identify the storage of a tensor, also of one without values."""
    address: int = tensor.untyped_storage()._cdata  # noqa: SLF001 - data_ptr is 0 on the meta device
    return address

"""One optimiser step of the published protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from rankelastor.config.averaged_weights import AveragedWeightsSettings
from rankelastor.config.execution import ExecutionSettings, ExecutorName
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.execution.compiling import CompiledNetwork, compile_for_training, should_record
from rankelastor.execution.cores import choose_num_threads, compute_threads, is_tiny_work, one_core
from rankelastor.execution.device import autocast, precision_dtype
from rankelastor.execution.lowering import Lowering
from rankelastor.execution.phases import PhaseListener, ignore_phase
from rankelastor.execution.recorded_step import RecordedStep
from rankelastor.execution.rules import device_name
from rankelastor.execution.slices import Loss, SlicedGradients, must_be_one_slice
from rankelastor.models.ranker import Ranker
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.schema import Batch
from rankelastor.training.carried_state import CarriedState
from rankelastor.training.distributed.gradients import GradientExchange, OwnGradient
from rankelastor.training.distributed.sharded_rows import ShardedRows
from rankelastor.training.updates import Updates


class Stepper:
    """Adam with clipped gradients of loss + (lambda / 2) * sum of squares of all embedding rows.

    The settings may choose AdamW for the products, row-wise Adagrad for the rows, and a learning rate of the rows.
    On the CPU a batch is computed in slices, see ``execution/slices.py``, and large tables are updated lazily, see
    ``training/updates.py``; ``training.slice_examples`` and ``training.embedding_updates`` control both.

    Args:
        ranker: the model, changed in place.
        optimiser: learning rate, L2 and clipping.
        execution: how a step is computed.
        batch_size: size of the largest batch of all processes, which decides about several threads and lazy updates.
        objective: loss of a batch; None selects ``BinaryCrossEntropy`` with equal weights of all tasks.
        generator: generator of the CPU that dropout masks depend on, on the CPU; None takes PyTorch's global one.
        averaged_weights: the running average of the weights; None keeps none.
        exchange: what a step does with other processes, each of which has a share of the batch.
        sharded: the embedding rows, if they lie in several processes; None: the ranker has them.
        clips_rows: whether embedding rows take part in clipping.
        on_phase: called at the beginning of each phase of a step, for the profile.

    Raises:
        SettingsError: lazy updates are asked for on a device other than the CPU.

    Source: training protocol of the code published with arXiv 2605.23191.
    """

    def __init__(
        self,
        ranker: Ranker,
        optimiser: OptimiserSettings,
        execution: ExecutionSettings,
        *,
        batch_size: int,
        objective: Loss | None = None,
        generator: torch.Generator | None = None,
        averaged_weights: AveragedWeightsSettings | None = None,
        exchange: GradientExchange | None = None,
        sharded: ShardedRows | None = None,
        clips_rows: bool = True,
        on_phase: PhaseListener = ignore_phase,
    ) -> None:
        self._ranker = ranker
        self._generator = generator
        self._on_phase = on_phase
        self._exchange = exchange or OwnGradient()
        share = -(-batch_size // self._exchange.world.size)
        self._execution = execution
        self._device = next(ranker.parameters()).device
        self._updates = Updates(
            ranker,
            optimiser,
            execution,
            batch_size=batch_size,
            averaged_weights=averaged_weights,
            clips_rows=clips_rows,
        )
        self._sharded = sharded
        self.objective = objective or BinaryCrossEntropy(
            parts_learn_from=ranker.parts_learn_from, part_weight=ranker.part_weight
        )
        self._compiled = compile_for_training(ranker.network, execution, batch_size=share)
        self._num_cores = torch.get_num_threads()
        self._is_tiny = self._device.type == "cpu" and is_tiny_work(ranker, share)
        is_one_slice = must_be_one_slice(list(ranker.modules()), self.objective)
        self._num_threads = 1 if self._compiled or is_one_slice else choose_num_threads(ranker, share)
        self._threads = compute_threads(self._num_threads)
        self._networks = self._networks_of_threads()
        self._embedding = Lowering(ranker.embedding, device=device_name(self._device))
        self._gradients = None if self._device.type == "cuda" else self._sliced_gradients()
        self._recorded = self._recorded_step()
        self._executor_before: ExecutorName | None = None  # that of a former process, until a step is taken here

    def _recorded_step(self) -> RecordedStep | None:
        """Record whole steps on CUDA, unless their phases are listened to or other processes take part in them."""
        is_alone = self._exchange.world.size == 1
        if not should_record(self._execution, self._device) or self._on_phase is not ignore_phase or not is_alone:
            return None
        return RecordedStep(self._compute_on_cuda, self._ranker)

    def _networks_of_threads(self) -> Sequence[CompiledNetwork | Lowering]:
        if self._compiled is not None:
            return [self._compiled] * self._num_threads
        device = device_name(self._device)
        count = self._num_threads if device == "cpu" else 1
        return [Lowering(self._ranker.network, device=device) for _ in range(count)]

    def _sliced_gradients(self) -> SlicedGradients:
        return SlicedGradients(
            self._ranker,
            self._updates.dense,
            loss=self.objective,
            threads=self._threads,
            networks=self._networks,
            slice_examples=self._execution.slice_examples,
            precision=precision_dtype(self._execution, self._device),
            generator=self._generator,
            rank=self._exchange.world.rank,
            on_phase=self._on_phase,
            records=self._execution.record == "auto",
        )

    @property
    def executor(self) -> ExecutorName:
        """How steps are computed, unless a module has hooks; until the first step after ``restore``, how they were."""
        if self._executor_before is not None:
            return self._executor_before
        if self._compiled is not None and self._compiled.is_compiled:
            return "compiled"
        if self._recorded is not None and self._recorded.is_recorded:
            return "recorded"
        return "kernels" if any(network.uses_kernels for network in self._networks) else "eager"

    @property
    def slice_examples(self) -> int | None:
        """Most examples of a slice so far; None where batches are not cut."""
        return None if self._gradients is None else self._gradients.largest_slice

    @property
    def cores_per_slice(self) -> int:
        """Number of CPU cores that compute one slice."""
        return 1 if self._is_tiny else self._num_cores // self._num_threads

    @property
    def updates_rows_lazily(self) -> bool:
        """Whether the embedding rows of a batch alone are updated."""
        return self._updates.is_lazy

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return self._updates.learning_rate

    def set_learning_rate(self, learning_rate: float) -> None:
        """Set the learning rate from the next step on; Adam's moments are kept."""
        self.complete_rows()
        self._updates.learning_rate = learning_rate
        self._set_rate_of_rows()

    def _set_rate_of_rows(self) -> None:
        if self._sharded is not None:
            self._sharded.learning_rate = self._updates.learning_rate_of_rows

    def complete_rows(self) -> None:
        """Bring all embedding rows up to date; required before anything but the next step reads them."""
        self._updates.complete_rows(self._threads.map)

    def with_averages(self) -> AbstractContextManager[None]:
        """Let the ranker have its averaged weights within a context, if there are any; call ``complete_rows`` first."""
        return self._updates.with_averages()

    def findings(self) -> dict[str, Any]:
        """Return what the steps so far have shown about themselves, as values for JSON."""
        gradients = self._gradients
        return {
            "bytes_per_example": None if gradients is None else gradients.bytes_per_example,
            "slice_examples": self.slice_examples,
            "executor": self.executor,
        }

    def restore_findings(self, findings: Mapping[str, Any]) -> None:
        """Go on with a value of ``findings``; that of an earlier version has less in it."""
        if self._gradients is not None:
            self._gradients.bytes_per_example = findings["bytes_per_example"]
            self._gradients.largest_slice = findings.get("slice_examples")
        self._executor_before = findings.get("executor")

    def state(self) -> dict[str, Tensor]:
        """Collect weights, buffers and the state of the optimiser as they stand, lazy rows included; not copied."""
        return self._updates.state()

    def restore(self, state: Mapping[str, Tensor], *, learning_rate: float) -> None:
        """Take over what ``state`` gave, and the learning rate of that time.

        Raises:
            ValueError: the state is that of another model or optimiser.
        """
        self._updates.restore(state, learning_rate=learning_rate)
        self._set_rate_of_rows()

    def take_over(self, carried: CarriedState) -> None:
        """Go on from the state of a former training of a ranker with the same parameters.

        Raises:
            ValueError: the state is that of another model.
        """
        self._updates.take_over(carried)

    def close(self) -> None:
        """Shut the threads down."""
        self._threads.shutdown()

    def step(self, batch: Batch) -> Tensor:
        """Take one step; return the loss of the batch without L2, as a tensor on the device.

        Raises:
            NotFiniteError: on the CPU, the loss or a gradient is NaN or infinite; no weight was changed.
        """
        self._executor_before = None
        if self._gradients is None:
            return self._step_on_cuda(batch)
        if self._is_tiny:
            with one_core():
                return self._step_on_cpu(batch, self._gradients)
        return self._step_on_cpu(batch, self._gradients)

    def _step_on_cpu(self, batch: Batch, gradients: SlicedGradients) -> Tensor:
        self._on_phase("optimiser")
        rows = self._threads.submit(self._ranker.embedding.rows_of, batch).result()
        if self._sharded is not None:
            return self._step_sharded(batch, rows, gradients, self._sharded)
        self._begin_exchange()
        rows_of_all = self._exchange.begin(rows)
        self._on_phase("optimiser")
        touched = self._threads.submit(self._updates.touch, rows_of_all).result()
        own = gradients(batch, rows)
        self._begin_exchange()
        result = self._exchange.end(own)
        self._on_phase("optimiser")
        self._updates.take(result)
        self._threads.submit(self._updates.step, result, touched).result()
        self._on_phase("done")
        return result.loss

    def _begin_exchange(self) -> None:
        """Say that values go to other processes now, if there are any."""
        if self._exchange.world.size > 1:
            self._on_phase("exchange")

    def _step_sharded(self, batch: Batch, rows: Tensor, gradients: SlicedGradients, sharded: ShardedRows) -> Tensor:
        self._on_phase("exchange")
        found = sharded.look_up(rows)
        own = gradients(batch, found.position, found.rows)
        self._on_phase("exchange")
        result = sharded.share(own, found)
        self._on_phase("optimiser")
        self._updates.take(result.dense)
        self._updates.step_dense(result.dense, row_squares=result.row_squares)
        self._on_phase("exchange")  # rows are updated where they lie, in the same call
        found.step(result.rows)
        self._on_phase("done")
        return result.dense.loss

    def _step_on_cuda(self, batch: Batch) -> Tensor:
        """Take one step on CUDA without synchronising, so that its queue fills while Python prepares the next step."""
        self._on_phase("copy")
        batch = batch.to(self._device)
        loss = self._compute_on_cuda(batch) if self._recorded is None else self._recorded(batch)
        self._updates.average()
        return loss

    def _compute_on_cuda(self, batch: Batch) -> Tensor:
        self._on_phase("optimiser")
        self._updates.forget_gradients()
        self._on_phase("forward")
        with autocast(self._execution, self._device):
            compute = self._networks[0].current()
            if self._exchange.world.size > 1:
                self._exchange.begin(self._ranker.embedding.rows_of(batch))
            logits = compute(self._embedding.current()(batch))
        self._on_phase("loss")
        loss = self.objective(logits, batch, total=self.objective.total(batch))
        self._on_phase("backward")
        torch.autograd.backward(loss)
        loss = loss.detach()
        self._begin_exchange()
        self._exchange.end_in_place(self._updates.dense, self._ranker.embedding.table, loss)
        self._on_phase("optimiser")
        self._updates.step_from_grad()
        self._on_phase("done")
        return loss

"""One optimiser step of the published protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from rankelastor.config.execution import ExecutionSettings, ExecutorName
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.errors import SettingsError
from rankelastor.execution.compiling import CompiledNetwork, compile_for_training, should_record
from rankelastor.execution.cores import choose_num_threads, compute_threads, is_tiny_work, one_core
from rankelastor.execution.device import autocast, precision_dtype
from rankelastor.execution.lowering import Lowering
from rankelastor.execution.phases import PhaseListener, ignore_phase
from rankelastor.execution.recorded_step import RecordedStep
from rankelastor.execution.slices import BatchGradient, Loss, SlicedGradients
from rankelastor.models.ranker import Ranker
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.optimisers.adam import DenseAdam
from rankelastor.optimisers.decay import decayed_parameters
from rankelastor.optimisers.lazy_rows.lazy import LazyRows, TouchedRows
from rankelastor.optimisers.lazy_rows.sums import sum_by_row
from rankelastor.optimisers.rowwise_adagrad import RowwiseAdagrad
from rankelastor.schema import Batch
from rankelastor.training.not_finite import NotFiniteError

ADAM_BETAS = (0.9, 0.999)
_LOOKUPS_FOR_LAZY = 2
_TABLE = "embedding.table"


class Stepper:
    """Adam with clipped gradients of loss + (lambda / 2) * sum of squares of all embedding rows.

    The settings may choose AdamW for the products, row-wise Adagrad for the rows, and a learning rate of the rows.
    On the CPU a batch is computed in slices, see ``execution/slices.py``, and large tables are updated lazily, see
    ``optimisers/lazy_rows/lazy.py``; ``training.slice_examples`` and ``training.embedding_updates`` control both.

    Args:
        ranker: the model, changed in place.
        optimiser: learning rate, L2 and clipping.
        execution: how a step is computed.
        batch_size: size of the largest batch, which decides about several threads and lazy updates.
        objective: loss of a batch; None selects ``BinaryCrossEntropy`` with equal weights of all tasks.
        generator: generator of the CPU that dropout masks depend on, on the CPU; None takes PyTorch's global one.
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
        on_phase: PhaseListener = ignore_phase,
    ) -> None:
        self._ranker = ranker
        self._generator = generator
        self._on_phase = on_phase
        self._settings = optimiser
        self._execution = execution
        self._batch_size = batch_size
        self._device = next(ranker.parameters()).device
        self._table = ranker.embedding.table
        self._learning_rate = optimiser.learning_rate
        self._named_dense = {name: p for name, p in ranker.named_parameters() if p is not self._table}
        self._dense = list(self._named_dense.values())
        self._rate_of_rows = (optimiser.embedding_learning_rate or optimiser.learning_rate) / optimiser.learning_rate
        self._adagrad = self._rowwise_adagrad()
        self._lazy = self._lazy_rows()
        self._optimiser, self._table_optimiser = self._optimisers()
        self.objective = objective or BinaryCrossEntropy(
            parts_learn_from=ranker.parts_learn_from, part_weight=ranker.part_weight
        )
        self._compiled = compile_for_training(ranker.network, execution, batch_size=batch_size)
        self._num_cores = torch.get_num_threads()
        self._is_tiny = self._device.type == "cpu" and is_tiny_work(ranker, batch_size)
        self._num_threads = 1 if self._compiled else choose_num_threads(ranker, batch_size)
        self._threads = compute_threads(self._num_threads)
        self._networks = self._networks_of_threads()
        self._gradients = None if self._device.type == "cuda" else self._sliced_gradients()
        self._recorded = self._recorded_step()

    def _recorded_step(self) -> RecordedStep | None:
        """Record whole steps on CUDA, unless their phases are listened to."""
        if not should_record(self._execution, self._device) or self._on_phase is not ignore_phase:
            return None
        return RecordedStep(self._compute_on_cuda, self._ranker)

    def _rowwise_adagrad(self) -> RowwiseAdagrad | None:
        if self._settings.embedding_rule != "rowwise_adagrad":
            return None
        return RowwiseAdagrad(self._table, l2=self._settings.embedding_l2)

    def _lazy_rows(self) -> LazyRows | RowwiseAdagrad | None:
        """Return the rule that updates the rows of a batch alone; None if the whole table is updated at every step."""
        num_rows = len(self._table)
        lookups = self._batch_size * self._ranker.embedding.num_columns
        if self._execution.embedding_updates == "lazy" and self._device.type != "cpu":
            raise SettingsError(
                f"training.embedding_updates=lazy must run on the CPU, but the device is {self._device.type}; "
                "try training.embedding_updates=dense"
            )
        if self._adagrad is not None:
            return None if self._device.type == "cuda" else self._adagrad
        if not updates_rows_lazily(self._execution, self._device, num_rows=num_rows, lookups=lookups):
            return None
        return LazyRows(self._table, betas=ADAM_BETAS, l2=self._settings.embedding_l2)

    def _optimisers(self) -> tuple[DenseAdam, DenseAdam | None]:
        """Make Adam for the dense parameters, and for the table: together if their rates are the same."""
        rate, has_own_rule = self._settings.learning_rate, self._lazy is not None or self._adagrad is not None
        together = not has_own_rule and self._rate_of_rows == 1
        dense = DenseAdam(
            [*self._dense, self._table] if together else self._dense,
            learning_rate=rate,
            betas=ADAM_BETAS,
            weight_decay=self._settings.weight_decay,
            decayed=decayed_parameters(self._ranker.network),
        )
        if together or has_own_rule:
            return dense, None
        return dense, DenseAdam([self._table], learning_rate=rate * self._rate_of_rows, betas=ADAM_BETAS)

    def _networks_of_threads(self) -> Sequence[CompiledNetwork | Lowering]:
        if self._compiled is not None:
            return [self._compiled] * self._num_threads
        on_cpu = self._device.type != "cuda"
        return [Lowering(self._ranker.network) for _ in range(self._num_threads)] if on_cpu else []

    def _sliced_gradients(self) -> SlicedGradients:
        return SlicedGradients(
            self._ranker,
            self._dense,
            loss=self.objective,
            threads=self._threads,
            networks=self._networks,
            slice_examples=self._execution.slice_examples,
            precision=precision_dtype(self._execution, self._device),
            generator=self._generator,
            on_phase=self._on_phase,
        )

    @property
    def executor(self) -> ExecutorName:
        """How the steps are computed, unless a module has hooks."""
        if self._compiled is not None and self._compiled.is_compiled:
            return "compiled"
        if self._recorded is not None and self._recorded.is_recorded:
            return "recorded"
        return "kernels" if any(network.uses_kernels for network in self._networks) else "eager"

    @property
    def cores_per_slice(self) -> int:
        """Number of CPU cores that compute one slice."""
        return 1 if self._is_tiny else self._num_cores // self._num_threads

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return self._learning_rate

    def set_learning_rate(self, learning_rate: float) -> None:
        """Set the learning rate from the next step on; Adam's moments are kept."""
        self.complete_rows()
        self._take_learning_rate(learning_rate)

    def _take_learning_rate(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate
        self._optimiser.learning_rate = learning_rate
        if self._table_optimiser is not None:
            self._table_optimiser.learning_rate = learning_rate * self._rate_of_rows

    @property
    def _learning_rate_of_rows(self) -> float:
        return self._learning_rate * self._rate_of_rows

    def complete_rows(self) -> None:
        """Bring all embedding rows up to date; required before anything but the next step reads them."""
        if self._lazy is not None:
            self._lazy.complete(learning_rate=self._learning_rate_of_rows, run_all=self._threads.map)

    @property
    def bytes_per_example(self) -> float | None:
        """What decides about the size of slices, measured at the first step; None before it, and on CUDA."""
        return None if self._gradients is None else self._gradients.bytes_per_example

    @bytes_per_example.setter
    def bytes_per_example(self, measured: float | None) -> None:
        if self._gradients is not None:
            self._gradients.bytes_per_example = measured

    def state(self) -> dict[str, Tensor]:
        """Collect weights, buffers and the state of the optimiser as they stand, lazy rows included; not copied."""
        parts: dict[str, Mapping[str, Tensor]] = {"model": self._ranker.state_dict(), "adam": self._optimiser.state()}
        if self._table_optimiser is not None:
            parts["table"] = self._table_optimiser.state()
        if (rows := self._lazy or self._adagrad) is not None:
            parts["rows"] = rows.state()
        return {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}

    def restore(self, state: Mapping[str, Tensor], *, learning_rate: float) -> None:
        """Take over what ``state`` gave, and the learning rate of that time.

        Raises:
            ValueError: the state is that of another model or optimiser.
        """
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "adam": {}, "table": {}, "rows": {}}
        for key, tensor in state.items():
            part, _, name = key.partition(".")
            if part not in parts:
                raise ValueError(f"{key[:80]} is no part of a training")
            parts[part][name] = tensor
        rows = self._lazy or self._adagrad
        if bool(parts["rows"]) != (rows is not None):
            kinds = ("lazily", "densely") if parts["rows"] else ("densely", "lazily")
            raise ValueError("embedding rows were updated {} there and are updated {} here".format(*kinds))
        try:
            self._ranker.load_state_dict(parts["model"])
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        self._optimiser.restore(parts["adam"])
        if self._table_optimiser is not None:
            self._table_optimiser.restore(parts["table"])
        if rows is not None:
            rows.restore(parts["rows"])
        self._take_learning_rate(learning_rate)

    def close(self) -> None:
        """Shut the threads down."""
        self._threads.shutdown()

    def step(self, batch: Batch) -> Tensor:
        """Take one step; return the loss of the batch without L2, as a tensor on the device.

        Raises:
            NotFiniteError: on the CPU, the loss or a gradient is NaN or infinite; no weight was changed.
        """
        if self._gradients is None:
            return self._step_on_cuda(batch)
        if self._is_tiny:
            with one_core():
                return self._step_on_cpu(batch, self._gradients)
        return self._step_on_cpu(batch, self._gradients)

    def _step_on_cpu(self, batch: Batch, gradients: SlicedGradients) -> Tensor:
        self._on_phase("optimiser")
        rows = self._threads.submit(self._ranker.embedding.rows_of, batch).result()
        touched = self._touch(rows)
        result = gradients(batch, rows)
        self._on_phase("optimiser")
        for parameter, gradient in zip(self._dense, result.parameters, strict=True):
            parameter.grad = gradient
        if not math.isfinite(result.loss):
            raise self._not_finite(result.loss, result.found)
        if self._lazy is None or touched is None or result.found is None:
            self._threads.submit(self._step_table_densely, result).result()
        else:
            self._threads.submit(self._step_lazily, self._lazy, touched, result.found, result.loss).result()
        self._on_phase("done")
        return result.loss

    def _touch(self, rows: Tensor) -> TouchedRows | None:
        if self._lazy is None or not self._table.requires_grad:
            return None
        return self._threads.submit(
            self._lazy.touch, rows.flatten(), learning_rate=self._learning_rate_of_rows
        ).result()

    def _step_table_densely(self, gradient: BatchGradient) -> None:
        with one_core():  # these sums are too short to pay for starting threads
            found = gradient.found
            self._table.grad = None if found is None else sum_by_row(gradient.rows, found, len(self._table))
            self._add_penalty()
            norm = finite_norm(self._present_gradients())
            if not math.isfinite(norm):
                raise self._not_finite(gradient.loss, found)
            self._step_densely(norm)

    def _add_penalty(self) -> None:
        """Add the gradient of L2."""
        if self._settings.embedding_l2 and self._table.requires_grad and self._adagrad is None:
            add_l2_gradient(self._table, self._settings.embedding_l2)
        elif self._adagrad is not None and self._table.grad is not None:
            self._adagrad.penalise(self._table.grad)

    def _present_gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in [*self._dense, self._table] if parameter.grad is not None]

    def _step_densely(self, norm: Tensor) -> None:
        if self._settings.clip_norm is not None:
            nn.utils.clip_grads_with_norm_([*self._dense, self._table], self._settings.clip_norm, norm)
        self._optimiser.step()
        if self._table_optimiser is not None:
            self._table_optimiser.step()
        if self._adagrad is not None and self._table.grad is not None:
            self._adagrad.step_densely(self._table.grad, learning_rate=self._learning_rate_of_rows)

    def _not_finite(self, loss: Tensor, lookup_gradients: Tensor | None) -> NotFiniteError:
        """Collect the norms of the gradients of a step that is not taken, as they stand."""
        norms = {name: float(p.grad.norm()) for name, p in self._named_dense.items() if p.grad is not None}
        if lookup_gradients is not None:
            norms[_TABLE] = float(lookup_gradients.norm())
        return NotFiniteError(float(loss), norms)

    @torch.no_grad()
    def _step_lazily(
        self, lazy: LazyRows | RowwiseAdagrad, touched: TouchedRows, lookup_gradients: Tensor, loss: Tensor
    ) -> None:
        gradient, squared_norm = lazy.gradient(touched, lookup_gradients)
        dense = finite_norm([parameter.grad for parameter in self._dense if parameter.grad is not None])
        norm = (squared_norm + dense.double().square()).sqrt()
        if not math.isfinite(norm):
            raise self._not_finite(loss, lookup_gradients)
        scale: Tensor | float = 1.0
        if self._settings.clip_norm is not None:
            scale = (self._settings.clip_norm / (norm + 1e-6)).clamp_max(1)
            gradients = [gradient, *(p.grad for p in self._dense if p.grad is not None)]
            torch._foreach_mul_(gradients, scale.to(gradient.dtype))
        self._optimiser.step()
        lazy.step(touched, gradient, learning_rate=self._learning_rate_of_rows, scale=scale)

    def _step_on_cuda(self, batch: Batch) -> Tensor:
        """Take one step on CUDA without synchronising, so that its queue fills while Python prepares the next step."""
        self._on_phase("copy")
        batch = batch.to(self._device)
        return self._compute_on_cuda(batch) if self._recorded is None else self._recorded(batch)

    def _compute_on_cuda(self, batch: Batch) -> Tensor:
        self._on_phase("optimiser")
        self._optimiser.zero_grad()
        self._table.grad = None  # before the forward pass: a CUDA graph overwrites the gradients of its last run
        self._on_phase("forward")
        with autocast(self._execution, self._device):
            compute = self._compiled.current() if self._compiled else self._ranker.network
            logits = compute(self._ranker.embedding(batch))
        self._on_phase("loss")
        loss = self.objective(logits, batch, total=self.objective.total(batch))
        self._on_phase("backward")
        torch.autograd.backward(loss)
        self._on_phase("optimiser")
        self._add_penalty()
        self._step_densely(nn.utils.get_total_norm(self._present_gradients()))
        self._on_phase("done")
        return loss.detach()


def updates_rows_lazily(execution: ExecutionSettings, device: torch.device, *, num_rows: int, lookups: int) -> bool:
    """Tell whether embedding rows are updated lazily: as set, or where a batch looks up few of them.

    Args:
        execution: settings, of which ``embedding_updates`` is used.
        device: device of the training; ``auto`` is lazy on the CPU alone.
        num_rows: rows of the table.
        lookups: largest number of look-ups of a batch.
    """
    if execution.embedding_updates == "auto":
        return device.type == "cpu" and num_rows > _LOOKUPS_FOR_LAZY * lookups
    return execution.embedding_updates == "lazy"


def finite_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Compute the norm of all gradients together, in float64 if it overflows otherwise; it waits for the result.

    Example:
        >>> finite_norm([torch.tensor([3e30, 4e30])])
        tensor(5.0000e+30, dtype=torch.float64)
    """
    norm = nn.utils.get_total_norm(gradients)
    return norm if math.isfinite(norm) else nn.utils.get_total_norm([gradient.double() for gradient in gradients])


@torch.no_grad()
def add_l2_gradient(table: nn.Parameter, strength: float) -> None:
    """Add the gradient of (strength / 2) * sum(table^2), which is strength * table, without building a graph."""
    if table.grad is None:
        table.grad = torch.zeros_like(table)
    table.grad.add_(table, alpha=strength)

"""Which rule updates which parameters: Adam for the network, and for the embedding rows what the settings say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from rankelastor.config.averaged_weights import AveragedWeightsSettings
from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.errors import SettingsError
from rankelastor.execution.cores import one_core
from rankelastor.execution.slices import BatchGradient
from rankelastor.models.ranker import Ranker
from rankelastor.optimisers.adam import DenseAdam
from rankelastor.optimisers.averaged_weights import AveragedWeights
from rankelastor.optimisers.decay import decayed_parameters
from rankelastor.optimisers.lazy_rows.lazy import LazyRows, TouchedRows
from rankelastor.optimisers.lazy_rows.sums import sum_by_row
from rankelastor.optimisers.norm import finite_norm
from rankelastor.optimisers.rowwise_adagrad import RowwiseAdagrad
from rankelastor.training.carried_state import CarriedState
from rankelastor.training.not_finite import NotFiniteError

ADAM_BETAS = (0.9, 0.999)
_LOOKUPS_FOR_LAZY = 2
_CLIP_EPSILON = 1e-6
"""What PyTorch adds to a norm before it divides by it."""
_TABLE = "embedding.table"


class Updates:
    """The rules of a training with their state.

    Adam (AdamW with ``weight_decay``) updates all parameters but the embedding rows. Those are updated by Adam with the
    whole table at every step, by Adam with the rows of a batch alone (``optimisers/lazy_rows/lazy.py``), or by row-wise
    Adagrad.

    Args:
        ranker: the model, changed in place.
        optimiser: learning rates, L2 and clipping.
        execution: settings, of which ``embedding_updates`` is used.
        batch_size: size of the largest batch, which decides about lazy updates.
        averaged_weights: the running average of the weights; None keeps none.
        clips_rows: whether embedding rows take part in clipping; where they lie in several processes none knows the
            norm of their gradient.

    Raises:
        SettingsError: lazy updates are asked for on a device other than the CPU.
    """

    def __init__(
        self,
        ranker: Ranker,
        optimiser: OptimiserSettings,
        execution: ExecutionSettings,
        *,
        batch_size: int,
        averaged_weights: AveragedWeightsSettings | None = None,
        clips_rows: bool = True,
    ) -> None:
        self._ranker = ranker
        self._clips_rows = clips_rows
        self._settings = optimiser
        self._device = next(ranker.parameters()).device
        self._table = ranker.embedding.table
        self._named_dense = {name: p for name, p in ranker.named_parameters() if p is not self._table}
        self.dense = list(self._named_dense.values())
        """All parameters but the embedding table."""
        self._learning_rate = optimiser.learning_rate
        self._rate_of_rows = (optimiser.embedding_learning_rate or optimiser.learning_rate) / optimiser.learning_rate
        self._adagrad = self._rowwise_adagrad()
        self._lazy = self._lazy_rows(execution, lookups=batch_size * ranker.embedding.num_columns)
        self._optimiser, self._table_optimiser = self._optimisers()
        self._average = self._average_of(averaged_weights)

    def _rowwise_adagrad(self) -> RowwiseAdagrad | None:
        if self._settings.embedding_rule != "rowwise_adagrad":
            return None
        return RowwiseAdagrad(self._table, l2=self._settings.embedding_l2)

    def _lazy_rows(self, execution: ExecutionSettings, *, lookups: int) -> LazyRows | RowwiseAdagrad | None:
        """Return the rule that updates the rows of a batch alone; None if the whole table is updated at every step."""
        if execution.embedding_updates == "lazy" and self._device.type != "cpu":
            raise SettingsError(
                f"training.embedding_updates=lazy must run on the CPU, but the device is {self._device.type}; "
                "try training.embedding_updates=dense"
            )
        if self._adagrad is not None:
            return None if self._device.type == "cuda" else self._adagrad
        if not updates_rows_lazily(execution, self._device, num_rows=len(self._table), lookups=lookups):
            return None
        return LazyRows(self._table, betas=ADAM_BETAS, l2=self._settings.embedding_l2)

    def _optimisers(self) -> tuple[DenseAdam, DenseAdam | None]:
        """Make Adam for the dense parameters, and for the table: together if their rates are the same."""
        rate, has_own_rule = self._settings.learning_rate, self._lazy is not None or self._adagrad is not None
        together = not has_own_rule and self._rate_of_rows == 1
        dense = DenseAdam(
            [*self.dense, self._table] if together else self.dense,
            learning_rate=rate,
            betas=ADAM_BETAS,
            weight_decay=self._settings.weight_decay,
            decayed=decayed_parameters(self._ranker.network),
        )
        if together or has_own_rule:
            return dense, None
        return dense, DenseAdam([self._table], learning_rate=rate * self._rate_of_rows, betas=ADAM_BETAS)

    def _average_of(self, settings: AveragedWeightsSettings | None) -> AveragedWeights | None:
        """Make the average of all trained weights: of a table by row if its rows are updated so."""
        if settings is None:
            return None
        by_row = self._lazy is not None and self._table.requires_grad
        weights = [
            parameter
            for parameter in self._ranker.parameters()
            if parameter.requires_grad and not (by_row and parameter is self._table)
        ]
        return AveragedWeights(weights, self._table if by_row else None, decay=settings.decay)

    @property
    def is_lazy(self) -> bool:
        """Whether the rows of a batch alone are updated."""
        return self._lazy is not None

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate
        self._optimiser.learning_rate = learning_rate
        if self._table_optimiser is not None:
            self._table_optimiser.learning_rate = self.learning_rate_of_rows

    @property
    def learning_rate_of_rows(self) -> float:
        """Learning rate of the embedding rows at the next step."""
        return self._learning_rate * self._rate_of_rows

    def complete_rows(self, run_all: Callable[..., Any]) -> None:
        """Bring all embedding rows up to date.

        Args:
            run_all: maps a function over parts of the table, perhaps in several threads.
        """
        if self._lazy is not None:
            self._lazy.complete(learning_rate=self.learning_rate_of_rows, run_all=run_all)
        if self._average is not None:
            self._average.complete(run_all)

    def average(self, touched: TouchedRows | None = None) -> None:
        """Average the weights after a step, which changed these rows of a lazily updated table."""
        if self._average is not None:
            self._average.step(None if touched is None else touched.rows)

    @contextmanager
    def with_averages(self) -> Iterator[None]:
        """Let the ranker have its averaged weights within the context, if there are any; all rows must be complete."""
        if self._average is None:
            yield
            return
        with self._average.in_place():
            yield

    def state(self) -> dict[str, Tensor]:
        """Collect weights, buffers and the state of the rules as they stand, lazy rows included; not copied."""
        parts: dict[str, Mapping[str, Tensor]] = {"model": self._ranker.state_dict(), "adam": self._optimiser.state()}
        if self._table_optimiser is not None:
            parts["table"] = self._table_optimiser.state()
        if (rows := self._lazy or self._adagrad) is not None:
            parts["rows"] = rows.state()
        if self._average is not None:
            parts["average"] = self._average.state()
        return {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}

    def restore(self, state: Mapping[str, Tensor], *, learning_rate: float) -> None:
        """Take over what ``state`` gave, and the learning rate of that time.

        Raises:
            ValueError: the state is that of another model or optimiser.
        """
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "adam": {}, "table": {}, "rows": {}, "average": {}}
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
        if self._average is not None:
            self._average.restore(parts["average"])
        self.learning_rate = learning_rate

    def take_over(self, carried: CarriedState) -> None:
        """Go on from the state of a former training of a ranker with the same parameters.

        What it lacks begins as in a new training: moments at zero, averages at the weights.

        Raises:
            ValueError: the state is that of another model.
        """
        try:
            self._ranker.load_state_dict(carried.weights)
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        names = {parameter: name for name, parameter in self._ranker.named_parameters()}
        for optimiser in (self._optimiser, self._table_optimiser):
            if optimiser is not None:
                optimiser.restore(_numbered(carried, [names[each] for each in optimiser.parameters]))
        if isinstance(self._lazy, LazyRows):
            self._lazy.take_over(carried.moments.get(_TABLE))
        if self._adagrad is not None and carried.sums is not None:
            self._adagrad.restore({"sums": carried.sums})
        if self._average is not None:
            self._average.take_over(carried.averages, names, num_steps=carried.num_averaged)

    def touch(self, rows: Tensor) -> TouchedRows | None:
        """Bring the rows that a batch looks up up to date; None if the whole table is up to date at every step."""
        if self._lazy is None or not self._table.requires_grad:
            return None
        touched = self._lazy.touch(rows.flatten(), learning_rate=self.learning_rate_of_rows)
        if self._average is not None:
            self._average.catch_up(touched.rows)
        return touched

    def step(self, gradient: BatchGradient, touched: TouchedRows | None) -> None:
        """Update all parameters from the gradient of a batch, on the CPU.

        Args:
            gradient: what ``take`` got.
            touched: what ``touch`` gave.

        Raises:
            NotFiniteError: a gradient is NaN or infinite; no weight was changed.
        """
        if self._lazy is None or touched is None or gradient.found is None:
            self._step_table(gradient)
        else:
            self._step_rows(self._lazy, touched, gradient.found, gradient.loss)
        self.average(touched)

    def take(self, gradient: BatchGradient) -> None:
        """Put the gradients of the dense parameters into their ``grad``.

        Raises:
            NotFiniteError: the loss is NaN or infinite.
        """
        for parameter, values in zip(self.dense, gradient.parameters, strict=True):
            parameter.grad = values
        if not math.isfinite(gradient.loss):
            raise self._not_finite(gradient.loss, gradient.found)

    def forget_gradients(self) -> None:
        """Remove all gradients; before the forward pass, since a CUDA graph overwrites those of its last run."""
        self._optimiser.zero_grad()
        self._table.grad = None

    def step_from_grad(self) -> None:
        """Update all parameters from their ``grad``, without waiting for a device."""
        self._add_penalty()
        self._step_densely(nn.utils.get_total_norm(self._clipped_gradients()))

    def _step_table(self, gradient: BatchGradient) -> None:
        with one_core():  # these sums are too short to pay for starting threads
            found = gradient.found
            self._table.grad = None if found is None else sum_by_row(gradient.rows, found, len(self._table))
            self._add_penalty()
            norm = finite_norm(self._present_gradients())
            if not math.isfinite(norm):
                raise self._not_finite(gradient.loss, found)
            self._step_densely(norm if self._clips_rows else finite_norm(self._clipped_gradients()))

    def _add_penalty(self) -> None:
        """Add the gradient of L2."""
        if self._settings.embedding_l2 and self._table.requires_grad and self._adagrad is None:
            add_l2_gradient(self._table, self._settings.embedding_l2)
        elif self._adagrad is not None and self._table.grad is not None:
            self._adagrad.penalise(self._table.grad)

    def _present_gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in [*self.dense, self._table] if parameter.grad is not None]

    def _clipped_gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self._clipped if parameter.grad is not None]

    @property
    def _clipped(self) -> list[nn.Parameter]:
        return [*self.dense, self._table] if self._clips_rows else self.dense

    def _step_densely(self, norm: Tensor) -> None:
        clip_norm = self._settings.clip_norm
        # on CUDA nobody waits to find out whether there is anything to scale
        if clip_norm is not None and (norm.is_cuda or bool(norm + _CLIP_EPSILON > clip_norm)):
            nn.utils.clip_grads_with_norm_(self._clipped, clip_norm, norm)
        self._optimiser.step()
        if self._table_optimiser is not None:
            self._table_optimiser.step()
        if self._adagrad is not None and self._table.grad is not None:
            self._adagrad.step_densely(self._table.grad, learning_rate=self.learning_rate_of_rows)

    @torch.no_grad()
    def _step_rows(
        self, lazy: LazyRows | RowwiseAdagrad, touched: TouchedRows, lookup_gradients: Tensor, loss: Tensor
    ) -> None:
        gradient, squared_norm = lazy.gradient(touched, lookup_gradients)
        dense = finite_norm([parameter.grad for parameter in self.dense if parameter.grad is not None])
        norm = (squared_norm + dense.double().square()).sqrt()
        if not math.isfinite(norm):
            raise self._not_finite(loss, lookup_gradients)
        scale: Tensor | float = 1.0
        if self._settings.clip_norm is not None:
            scale = (self._settings.clip_norm / ((norm if self._clips_rows else dense) + _CLIP_EPSILON)).clamp_max(1)
            gradients = [*([gradient] if self._clips_rows else []), *(p.grad for p in self.dense if p.grad is not None)]
            torch._foreach_mul_(gradients, scale.to(gradient.dtype))
        self._optimiser.step()
        lazy.step(touched, gradient, learning_rate=self.learning_rate_of_rows, scale=scale)

    @torch.no_grad()
    def step_dense(self, gradient: BatchGradient, *, row_squares: float) -> None:
        """Update all parameters but the embedding rows, which lie elsewhere.

        Args:
            gradient: what ``take`` got.
            row_squares: a number that is finite if the gradients of rows are.

        Raises:
            NotFiniteError: a gradient is NaN or infinite; no weight was changed.
        """
        gradients = [parameter.grad for parameter in self.dense if parameter.grad is not None]
        norm = finite_norm(gradients)
        if not math.isfinite(norm) or not math.isfinite(row_squares):
            raise self._not_finite(gradient.loss, torch.tensor(row_squares).sqrt())
        if self._settings.clip_norm is not None:
            torch._foreach_mul_(gradients, (self._settings.clip_norm / (norm + _CLIP_EPSILON)).clamp_max(1).float())
        self._optimiser.step()

    def _not_finite(self, loss: Tensor, lookup_gradients: Tensor | None) -> NotFiniteError:
        """Collect the norms of the gradients of a step that is not taken, as they stand."""
        norms = {name: float(p.grad.norm()) for name, p in self._named_dense.items() if p.grad is not None}
        if lookup_gradients is not None:
            norms[_TABLE] = float(lookup_gradients.norm())
        return NotFiniteError(float(loss), norms)


def _numbered(carried: CarriedState, names: Sequence[str]) -> dict[str, Tensor]:
    """Number the moments of some parameters, as ``DenseAdam.state`` does."""
    return {
        f"{index}.{moment}": tensor
        for index, name in enumerate(names)
        if name in carried.moments
        for moment, tensor in zip(("first", "second", "steps"), carried.moments[name], strict=True)
    }


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


@torch.no_grad()
def add_l2_gradient(table: nn.Parameter, strength: float) -> None:
    """Add the gradient of (strength / 2) * sum(table^2), which is strength * table, without building a graph."""
    if table.grad is None:
        table.grad = torch.zeros_like(table)
    table.grad.add_(table, alpha=strength)

"""One optimiser step of the published protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from rankelastor.config.training import TrainingSettings
from rankelastor.models.ranker import Ranker
from rankelastor.schema import Batch
from rankelastor.training.device import autocast

ADAM_BETAS = (0.9, 0.999)

StepPhase = Literal["copy", "forward", "loss", "backward", "optimiser", "done"]


def _not_listening(_phase: StepPhase) -> None:
    """Nobody times the phases of a step."""


class Stepper:
    """Mean cross-entropy + (lambda / 2) * sum of squares of all embedding rows; clipped; Adam.

    Source: training protocol of the code published with arXiv 2605.23191.

    Args:
        ranker: learns in place.
        settings: the protocol.
        on_phase: told of each phase of a step as it begins, for the profile.
    """

    def __init__(
        self,
        ranker: Ranker,
        settings: TrainingSettings,
        *,
        on_phase: Callable[[StepPhase], None] = _not_listening,
    ) -> None:
        self._ranker = ranker
        self._on_phase = on_phase
        self._settings = settings
        self._device = next(ranker.parameters()).device
        self._parameters = list(ranker.parameters())
        self._optimiser = torch.optim.Adam(self._parameters, lr=settings.learning_rate, betas=ADAM_BETAS, fused=True)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Use another learning rate from the next step on; Adam's moments stay."""
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate

    def step(self, batch: Batch) -> Tensor:
        """Learn from one batch; returns its mean cross-entropy (without L2), still on the device."""
        self._on_phase("copy")
        if self._device.type == "cuda":
            batch = batch.pin_memory()
        batch = batch.to(self._device)
        assert batch.label is not None, "training needs labels"
        self._on_phase("forward")
        with autocast(self._settings, self._device):
            logits = self._ranker(batch)
        self._on_phase("loss")
        loss = binary_cross_entropy_with_logits(logits.float(), batch.label)
        self._on_phase("optimiser")
        self._optimiser.zero_grad(set_to_none=True)
        self._on_phase("backward")
        torch.autograd.backward(loss)
        self._on_phase("optimiser")
        if self._settings.embedding_l2:
            add_l2_gradient(self._ranker.embedding.table, self._settings.embedding_l2)
        if self._settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._settings.clip_norm)
        self._optimiser.step()
        self._on_phase("done")
        return loss.detach()


@torch.no_grad()
def add_l2_gradient(table: nn.Parameter, strength: float) -> None:
    """Add the gradient of (strength / 2) * sum(table^2), which is strength * table, without building its graph."""
    if table.grad is None:
        table.grad = torch.zeros_like(table)
    table.grad.add_(table, alpha=strength)

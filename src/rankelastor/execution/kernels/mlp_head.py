"""The MLP head: its hidden width together with the maps around it, while training."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.execution.kernels.projection import ProjectionOperation
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.nn.head import MlpHead


@lowers(MlpHead)
def mlp_head(layer: MlpHead, context: Context) -> Operation | None:
    """Lower a head of one hidden width."""
    plain = all(context.is_plain(each, nn.Linear) for each in (layer.hidden, layer.out))
    return MlpHeadOperation(layer) if plain else None


class MlpHeadOperation:
    """Compute an MLP head; what the kernel saves are passes of the gradient, so it computes only where there is one."""

    def __init__(self, layer: MlpHead) -> None:
        self.layer = layer
        self._project = ProjectionOperation(layer.hidden, None, None, layer.out, plain=None)

    def __call__(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch task"]:
        """Compute the logits."""
        flat = tokens.flatten(1)
        if torch.is_grad_enabled() and self._project.fits(flat):
            return self._project(flat)
        logits: Tensor = self.layer.forward(tokens)
        return logits

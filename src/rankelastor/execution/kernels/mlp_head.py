"""The MLP head as one kernel."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.execution.kernels.projection import ProjectionOperation
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.nn.head import MlpHead


@lowers(MlpHead)
def mlp_head(layer: MlpHead, context: Context) -> Operation | None:
    """Lower an MLP head."""
    plain = all(context.is_plain(each, nn.Linear) for each in (layer.hidden, layer.out))
    return MlpHeadOperation(layer) if plain else None


class MlpHeadOperation:
    """out(relu(hidden(flat tokens)))."""

    def __init__(self, layer: MlpHead) -> None:
        self.layer = layer
        self._project = ProjectionOperation(layer.hidden, None, None, layer.out, plain=None)

    def __call__(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch task"]:
        """Compute out(relu(hidden(flat tokens)))."""
        flat = tokens.flatten(1)
        if self._project.fits(flat):
            return self._project(flat)
        logits: Tensor = self.layer.forward(tokens)
        return logits

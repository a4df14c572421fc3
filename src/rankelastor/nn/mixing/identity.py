"""No mixing, for ablation."""

from jaxtyping import Float
from torch import Tensor, nn


class IdentityMixing(nn.Module):
    """No mixing: tokens pass unchanged. For ablation."""

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """The tokens themselves."""
        return tokens

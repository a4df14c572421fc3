"""Experts of each token, weighted by gates: all computed, those with a gate alone, or a few picked ones."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import gelu, silu

from rankelastor.nn.init import xavier_normal_slices_
from rankelastor.nn.per_token import PerTokenLinear

ExpertForm = Literal["gelu", "swiglu"]


class PerTokenExperts(nn.Module):
    """sum_j gate_tj expert_tj(x_t), where token t has ``num_experts`` FFNs of its own.

    An expert is W2 GELU(W1 x + b1) + b2, or Wd (Swish(Wg x + bg) o (Wu x + bu)) + bd. The hidden parts of a token's
    experts lie side by side, so that all of them are two batched products.

    Args:
        num_tokens: T.
        token_dim: D.
        hidden_dim: width between the maps of one expert.
        num_experts: number of experts per token, E.
        form: the formula of an expert, ``gelu`` or ``swiglu``.
        down_scale: factor of the initial values of the last maps.

    Example:
        >>> experts = PerTokenExperts(num_tokens=3, token_dim=4, hidden_dim=5, num_experts=2, form="gelu")
        >>> tokens, gates = torch.randn(8, 3, 4), torch.rand(8, 3, 2)
        >>> torch.allclose(experts.all_of(tokens, gates), experts.gated(tokens, gates), atol=1e-6)
        True
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        token_dim: int,
        hidden_dim: int,
        num_experts: int,
        form: ExpertForm,
        down_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.form = form
        self.num_experts = num_experts
        self.hidden_dim = hidden_dim
        self.num_maps = 2 if form == "swiglu" else 1
        widths = [hidden_dim] * (num_experts * self.num_maps)
        self.up = PerTokenLinear(num_tokens=num_tokens, in_dim=token_dim, out_dims=widths)
        self.down = nn.Parameter(torch.empty(num_tokens * num_experts, hidden_dim, token_dim))
        self.down_bias = nn.Parameter(torch.zeros(num_tokens * num_experts, token_dim))
        xavier_normal_slices_(self.down, [token_dim])
        with torch.no_grad():
            self.down.mul_(down_scale)

    def all_of(
        self, tokens: Float[Tensor, "batch token dim"], gates: Float[Tensor, "batch token expert"]
    ) -> Float[Tensor, "batch token dim"]:
        """Compute all experts and weight them: the meaning of the layer, at the cost of all experts."""
        hidden = self._activate(self.up(tokens)).unflatten(2, (self.num_experts, -1))
        weighted = (hidden * gates.unsqueeze(3)).flatten(2).transpose(0, 1)
        num_tokens = tokens.shape[1]
        bias = torch.bmm(gates.transpose(0, 1), self.down_bias.unflatten(0, (num_tokens, -1)))
        down = self.down.view(num_tokens, -1, self.down.shape[2])
        return (torch.bmm(weighted, down) + bias).transpose(0, 1)

    def gated(
        self, tokens: Float[Tensor, "batch token dim"], gates: Float[Tensor, "batch token expert"]
    ) -> Float[Tensor, "batch token dim"]:
        """Compute the same sum, each expert for those examples alone that have a gate other than 0."""
        batch, num_tokens, dim = tokens.shape
        by_expert = gates.permute(1, 2, 0)
        token, expert, example = by_expert.nonzero(as_tuple=True)
        if not len(token):
            return torch.zeros_like(tokens)
        counts: list[int] = (by_expert != 0).sum(dim=2).flatten().tolist()
        places = token * batch + example
        rows = tokens.transpose(0, 1).reshape(-1, dim).index_select(0, places).split(counts)
        out = torch.cat(self._each(rows)) * by_expert[token, expert, example].unsqueeze(1)
        summed = out.new_zeros(num_tokens * batch, dim).index_add(0, places, out)
        return summed.view(num_tokens, batch, dim).transpose(0, 1)

    def picked(
        self,
        tokens: Float[Tensor, "batch token dim"],
        experts: Int[Tensor, "batch token choice"],
        gates: Float[Tensor, "batch token choice"],
    ) -> Float[Tensor, "batch token dim"]:
        """Compute the sum over chosen experts from copies of their weights, for few examples."""
        num_tokens = tokens.shape[1]
        index = torch.arange(num_tokens, device=tokens.device).unsqueeze(1) * self.num_experts + experts
        up = self.up.weight.unflatten(2, (self.num_maps, self.num_experts, -1)).movedim(3, 1).flatten(0, 1)
        up_bias = self.up.bias.unflatten(1, (self.num_maps, self.num_experts, -1)).movedim(2, 1).flatten(0, 1)
        wide = torch.matmul(tokens[:, :, None, None, :], up[index].flatten(4)) + up_bias[index].flatten(3).unsqueeze(3)
        out = torch.matmul(self._activate(wide), self.down[index]).squeeze(3) + self.down_bias[index]
        return (gates.unsqueeze(3) * out).sum(dim=2)

    def _activate(self, wide: Float[Tensor, "*batch wide"]) -> Float[Tensor, "*batch hidden"]:
        if self.form == "gelu":
            return gelu(wide)
        gate, up = wide.chunk(2, dim=-1)
        return silu(gate) * up

    def _each(self, rows: tuple[Tensor, ...]) -> list[Tensor]:
        """Apply each expert to its rows; a cut of all weights at once has one gradient, not one per expert."""
        width, num_maps = self.hidden_dim, self.num_maps
        ups = [part for token in self.up.weight.unbind() for part in token.split(width, dim=1)]
        biases = [part for token in self.up.bias.unbind() for part in token.split(width)]
        lasts = zip(self.down.unbind(), self.down_bias.unbind(), strict=True)
        out = []
        for place, (given, (down, down_bias)) in enumerate(zip(rows, lasts, strict=True)):
            if not len(given):
                continue
            token, expert = divmod(place, self.num_experts)
            first = token * num_maps * self.num_experts + expert
            maps = [first + number * self.num_experts for number in range(num_maps)]
            wide = [torch.addmm(biases[each], given, ups[each]) for each in maps]
            hidden = gelu(wide[0]) if self.form == "gelu" else silu(wide[0]) * wide[1]
            out.append(torch.addmm(down_bias, hidden, down))
        return out

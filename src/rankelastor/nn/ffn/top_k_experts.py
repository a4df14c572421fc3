"""A sparse mixture of per-token experts: the best of a router, and one that all examples share."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge
from jaxtyping import Float, Int
from torch import Tensor, nn

from rankelastor.nn.ffn.experts import PerTokenExperts
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.nn.per_token import PerTokenMap
from rankelastor.nn.sizes import PositiveFloat, PositiveInt, SizesDoNotFit

TwoOrMore = Annotated[int, Ge(2)]
SoftmaxOver = Literal["all", "chosen"]


class TopKExperts(nn.Module):
    """(E / k) sum over the k - 1 best of softmax gates * Expert_tj(x) + Shared_t(x), each a per-token SwiGLU.

    Of the E experts of a token one is shared by all examples; a linear router of the token chooses k - 1 of the others
    for each example. Training and inference compute the chosen experts alone. There is no loss of balance.

    NOTE[DIFF]: TokenMixer-Large is described with a softmax over the chosen experts alone, whatever k is. Here the
    default is one over all routed experts, with which gates of about 1 / E are brought back to a sum near 1 by the
    factor E / k and the router has a gradient whatever k is. Over the chosen ones the gates sum to 1 before the factor,
    and with k = 2 the one gate is 1 whatever the router says, so that the router would learn nothing: this is refused.
    Covered by tests/nn/ffn/test_top_k_experts.py.

    Args:
        num_tokens: T; each token has its own experts and its own router.
        token_dim: D.
        hidden_dim: width between the maps of one expert.
        num_experts: number of experts per token, E, the shared one included.
        num_active: number of experts that compute an example, k, the shared one included; at most ``num_experts``.
        down_scale: factor of the initial values of the experts' last maps, which are Xavier normal.
        softmax: over which routed experts the gates of an example sum to 1: ``all``, or the ``chosen`` ones.

    Example:
        >>> layer = TopKExperts(num_tokens=3, token_dim=4, hidden_dim=5, num_experts=4, num_active=2)
        >>> layer(torch.randn(8, 3, 4)).shape
        torch.Size([8, 3, 4])

    Source: TokenMixer-Large, arXiv 2602.06563 (sparse pertoken MoE).

    Raises:
        SizesDoNotFit: more experts are active than there are, or a softmax over the chosen ones has one to choose.
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        token_dim: int,
        hidden_dim: PositiveInt,
        num_experts: TwoOrMore = 4,
        num_active: TwoOrMore = 2,
        down_scale: PositiveFloat = 1.0,
        softmax: SoftmaxOver = "all",
    ) -> None:
        super().__init__()
        if num_active > num_experts:
            raise SizesDoNotFit(
                f"num_active must be at most num_experts = {num_experts}, but {num_active} was given; "
                f"try num_active={num_experts}"
            )
        if softmax == "chosen" and num_active == 2 and num_experts > 2:  # noqa: PLR2004 - the shared one and one more
            raise SizesDoNotFit(
                "num_active must be 3 or more with softmax chosen, but 2 was given: the gate of one chosen expert is "
                "always 1, so that the router would learn nothing; try softmax=all"
            )
        self.softmax = softmax
        self.num_chosen = num_active - 1
        self.factor = num_experts / num_active
        self.router = PerTokenMap(num_tokens=num_tokens, in_dim=token_dim, out_dims=[num_experts - 1])
        self.shared = PerTokenSwiGlu(
            num_tokens=num_tokens, token_dim=token_dim, hidden_dim=hidden_dim, down_scale=down_scale
        )
        self.experts = PerTokenExperts(
            num_tokens=num_tokens,
            token_dim=token_dim,
            hidden_dim=hidden_dim,
            num_experts=num_experts - 1,
            form="swiglu",
            down_scale=down_scale,
        )

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Apply the chosen experts and the shared one, without a residual."""
        gates, chosen = self._gates(self.router(tokens))
        shared: Tensor = self.shared(tokens)
        if not torch.compiler.is_compiling() and len(tokens) * self.num_chosen <= self.experts.num_experts:
            return shared + self.experts.picked(tokens, chosen, gates)
        spread = gates.new_zeros(*gates.shape[:2], self.experts.num_experts).scatter(2, chosen, gates)
        if torch.compiler.is_compiling() or tokens.is_meta or self.num_chosen == self.experts.num_experts:
            return shared + self.experts.all_of(tokens, spread)
        return shared + self.experts.gated(tokens, spread)

    def _gates(
        self, scores: Float[Tensor, "batch token expert"]
    ) -> tuple[Float[Tensor, "batch token chosen"], Int[Tensor, "batch token chosen"]]:
        """Choose the best routed experts, and compute their gates."""
        if self.softmax == "all":
            best, chosen = scores.softmax(dim=2).topk(self.num_chosen, dim=2)
            return self.factor * best, chosen
        best, chosen = scores.topk(self.num_chosen, dim=2)
        return self.factor * best.softmax(dim=2), chosen

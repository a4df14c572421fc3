"""A sparse mixture of per-token experts with ReLU gates, whose share of zeros is steered."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Lt
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from rankelastor.nn.ffn.experts import PerTokenExperts
from rankelastor.nn.penalty import penalised
from rankelastor.nn.per_token import PerTokenLinear
from rankelastor.nn.shared_statistics import SharedStatistics
from rankelastor.nn.sizes import PositiveInt

Share = Annotated[float, Ge(0), Lt(1)]
FIRST_PENALTY = 1e-8
STEERING = 1.2


class ReluExperts(SharedStatistics, nn.Module):
    """sum_j ReLU(h(x_t)_j) expert_tj(x_t): gates that are zero or not, without a softmax; an expert is a GELU MLP.

    While training all experts are computed, and the loss has the gradient of lambda * (sum of the gates of an example),
    averaged over the batch. After each batch lambda is multiplied by 1.2 where the share of zeros among the gates is
    below ``zero_share``, and divided by 1.2 where it is above. It is a buffer. The share is one of the whole batch, so
    that the layer couples its examples: such a model is trained without slices. In evaluation experts whose gate is
    zero are left out; a batch with fewer examples than experts and compiled code compute all, with the same result.

    With ``routers: two`` the first half of a training batch goes through the router of inference, which is the one that
    the penalty acts on, and the second half through a router of training. The network doubles its batch and learns
    from the labels in both halves.

    NOTE[OPEN]: the paper does not say how the router of inference gets a gradient of the task; from the penalty alone
    its gates fall to zero. Here it has the task's loss too (models/rankmixer_paper.py). ``routers: one`` trains the
    router of inference alone, in half the time. The sum of gates is averaged over examples, not over tokens; lambda
    finds its scale by itself. Covered by tests/nn/ffn/test_relu_experts.py.

    Args:
        num_tokens: T; each token has its own experts and its own routers.
        token_dim: D.
        hidden_dim: width between the maps of one expert.
        num_experts: number of experts per token, E.
        zero_share: share of the gates that are to be zero, in 0..1; .75 leaves a quarter of the experts.
        routers: ``two``: dense training and sparse inference have a router each; ``one``: one for both.

    Example:
        >>> layer = ReluExperts(num_tokens=3, token_dim=4, hidden_dim=5, num_experts=4, routers="one")
        >>> layer(torch.randn(8, 3, 4)).shape
        torch.Size([8, 3, 4])

    Source: RankMixer, arXiv 2507.15551, section 3.4; the steering of ReMoE, arXiv 2412.14711.
    """

    couples_examples = True
    penalty: Tensor

    def __init__(
        self,
        *,
        num_tokens: int,
        token_dim: int,
        hidden_dim: PositiveInt,
        num_experts: PositiveInt = 4,
        zero_share: Share = 0.5,
        routers: Literal["two", "one"] = "two",
    ) -> None:
        super().__init__()
        self.zero_share = zero_share
        self.experts = PerTokenExperts(
            num_tokens=num_tokens,
            token_dim=token_dim,
            hidden_dim=hidden_dim,
            num_experts=num_experts,
            form="gelu",
        )
        self.router = PerTokenLinear(num_tokens=num_tokens, in_dim=token_dim, out_dims=[num_experts])
        self.training_router = (
            PerTokenLinear(num_tokens=num_tokens, in_dim=token_dim, out_dims=[num_experts])
            if routers == "two"
            else None
        )
        self.register_buffer("penalty", torch.tensor(FIRST_PENALTY))

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Apply the experts, without a residual."""
        if self.training:
            return self.experts.all_of(tokens, self._training_gates(tokens))
        gates = relu(self.router(tokens))
        if torch.compiler.is_compiling() or tokens.is_meta or len(tokens) < self.experts.num_experts:
            return self.experts.all_of(tokens, gates)
        return self.experts.gated(tokens, gates)

    def _training_gates(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token expert"]:
        halves = tokens.chunk(2) if self.training_router is not None else (tokens,)
        gates = relu(self.router(halves[0]))
        gates = penalised(gates, self.penalty / max(1.0, float(self._over_all(len(gates)))))
        self._steer(gates.detach())
        if self.training_router is None:
            return gates
        assert len(tokens) % 2 == 0, "the network doubles its batch for two routers"
        return torch.cat([gates, relu(self.training_router(halves[1]))])

    @torch.no_grad()
    def _steer(self, gates: Float[Tensor, "batch token expert"]) -> None:
        """Raise the penalty where too few gates are zero, and lower it where too many are."""
        zeros = self._over_all((gates == 0).float().sum()) / self._over_all(gates.numel())
        self.penalty.mul_(STEERING ** torch.sign(self.zero_share - zeros).to(self.penalty.dtype))

    def _over_all(self, count: Tensor | float) -> Tensor:
        """Sum a count over the processes that have parts of the batch."""
        own = torch.as_tensor(count, dtype=torch.float32, device=self.penalty.device)
        return own if self.over_ranks is None else self.over_ranks(own)

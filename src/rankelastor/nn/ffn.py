"""Per-token FFNs: (batch, token, dim) -> the same shape, every token with its own weights, no residual."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.activation import activation as activation_by_name
from rankelastor.nn.dropout import Dropout, PerTokenDropout
from rankelastor.nn.fused_mlp import fused_mlp, mlp_fits
from rankelastor.nn.gate import PaperGate, PublishedGate, UnitExpansionGate
from rankelastor.nn.observation import is_watched
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm

GateName = Literal["published", "paper"]
_NO_ACTIVATION = nn.Identity()


class PerTokenMlp(nn.Sequential):
    """Linear -> [RMSNorm] -> activation -> dropout for each hidden width, then Linear to ``token_dim``.

    Example:
        >>> import torch
        >>> PerTokenMlp(num_tokens=3, token_dim=4, hidden_dims=[8, 8])(torch.randn(2, 3, 4)).shape
        torch.Size([2, 3, 4])

    Source: RankMixer, arXiv 2507.15551 (per-token FFN).
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        token_dim: int,
        hidden_dims: Sequence[int],
        activation: str = "gelu",
        norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        steps: list[nn.Module] = []
        for width, next_width in pairwise([token_dim, *hidden_dims]):
            steps.append(PerTokenLinear(num_tokens=num_tokens, in_dim=width, out_dims=[next_width]))
            if norm:
                steps.append(PerTokenRMSNorm(num_tokens=num_tokens, dim=next_width))
            steps += [activation_by_name(activation), PerTokenDropout(dropout)]
        last_width = [token_dim, *hidden_dims][-1]
        steps.append(PerTokenLinear(num_tokens=num_tokens, in_dim=last_width, out_dims=[token_dim]))
        super().__init__(*steps)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Changed tokens. Linear maps and what lies between them are computed together where nobody watches them."""
        steps = list(self)
        while steps:
            match steps:
                case [PerTokenLinear() as up, active, Dropout() as dropout, PerTokenLinear() as down, *rest] if (
                    mlp_fits(tokens, up, active, dropout, down)
                ):
                    tokens, steps = fused_mlp(tokens, up, active, dropout, down), rest
                case [active, Dropout() as dropout, PerTokenLinear() as down, *rest] if mlp_fits(
                    tokens, None, active, dropout, down
                ):
                    tokens, steps = fused_mlp(tokens, None, active, dropout, down), rest
                case [step, *rest]:
                    tokens, steps = step(tokens), rest
        return tokens


class PerTokenGlu(nn.Sequential):
    """[RMSNorm] -> gate -> Linear if the width changes -> dropout for each hidden width, then Linear to ``token_dim``.

    Args:
        expansion: inner width of a gate over its input width.
        gate: ``published`` or ``paper``.

    Example:
        >>> import torch
        >>> PerTokenGlu(num_tokens=3, token_dim=4, hidden_dims=[8])(torch.randn(2, 3, 4)).shape
        torch.Size([2, 3, 4])

    Source: RankElastor, arXiv 2605.23191 (GLU-improved P-FFN).
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        token_dim: int,
        hidden_dims: Sequence[int],
        expansion: float = 3.0,
        gate: GateName = "published",
        norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        steps: list[nn.Module] = []
        for width, next_width in pairwise([token_dim, *hidden_dims]):
            if norm:
                steps.append(PerTokenRMSNorm(num_tokens=num_tokens, dim=width))
            steps.append(_gate(gate, num_tokens=num_tokens, dim=width, expansion=expansion))
            if next_width != width:
                steps.append(PerTokenLinear(num_tokens=num_tokens, in_dim=width, out_dims=[next_width]))
            steps.append(PerTokenDropout(dropout))
        last_width = [token_dim, *hidden_dims][-1]
        steps.append(PerTokenLinear(num_tokens=num_tokens, in_dim=last_width, out_dims=[token_dim]))
        super().__init__(*steps)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Changed tokens. Norm, gate and the linear map after it are computed together where nobody watches them."""
        steps = list(self)
        while steps:
            match steps:
                case [PerTokenRMSNorm() as norm, PublishedGate() as gate, *rest] if not is_watched(norm, gate):
                    then, steps = _map_at_once(rest)
                    tokens = gate(tokens, norm=norm, then=then)
                case [PublishedGate() as gate, *rest] if not is_watched(gate):
                    then, steps = _map_at_once(rest)
                    tokens = gate(tokens, then=then)
                case [Dropout() as dropout, PerTokenLinear() as then, *rest] if dropout.rate and mlp_fits(
                    tokens, None, _NO_ACTIVATION, dropout, then
                ):
                    tokens, steps = fused_mlp(tokens, None, _NO_ACTIVATION, dropout, then), rest
                case [step, *rest]:
                    tokens, steps = step(tokens), rest
        return tokens


def _map_at_once(steps: list[nn.Module]) -> tuple[PerTokenLinear | None, list[nn.Module]]:
    """The linear map that comes next, if nobody watches on the way there; and the steps after it."""
    match steps:
        case [PerTokenLinear() as then, *rest] | [Dropout(rate=0), PerTokenLinear() as then, *rest] if not is_watched(
            *steps[: len(steps) - len(rest)]
        ):
            return then, rest
        case _:
            return None, steps


class ResidualFfn(nn.Module):
    """x + ffn(x): the per-token FFN with its residual."""

    def __init__(self, ffn: nn.Module) -> None:
        super().__init__()
        self.ffn = ffn

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Tokens plus their FFN."""
        changed: Tensor = self.ffn(tokens)
        return tokens + changed


def _gate(name: GateName, *, num_tokens: int, dim: int, expansion: float) -> nn.Module:
    inner_dim = int(dim * expansion)
    if inner_dim < 1:
        raise ValueError(f"ffn.expansion must leave an inner width of 1 or more, but int({dim} * {expansion}) is 0")
    match name:
        case "published" if expansion == 1:
            return UnitExpansionGate(num_tokens=num_tokens, dim=dim)
        case "published":
            return PublishedGate(num_tokens=num_tokens, dim=dim, inner_dim=inner_dim)
        case "paper":
            return PaperGate(num_tokens=num_tokens, dim=dim, inner_dim=inner_dim)

"""Heads: tokens (batch, token, dim) -> logits (batch, task)."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from rankelastor.nn.init import init_linear_
from rankelastor.nn.projection import Projection


class MlpHead(nn.Module):
    """A hidden layer of twice the flat width with ReLU, then a linear map to one logit per task.

    Example:
        >>> import torch
        >>> MlpHead(num_tokens=3, token_dim=4)(torch.randn(2, 3, 4)).shape
        torch.Size([2, 1])

    Source: the code published with arXiv 2605.23191.
    """

    def __init__(self, *, num_tokens: int, token_dim: int, num_tasks: int = 1) -> None:
        super().__init__()
        flat_dim = num_tokens * token_dim
        self.hidden = nn.Linear(flat_dim, 2 * flat_dim)
        self.out = nn.Linear(2 * flat_dim, num_tasks)
        init_linear_(self)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch task"]:
        """Compute out(relu(hidden(flat tokens)))."""
        logits: Tensor = self.out(relu(self.hidden(tokens.flatten(1))))
        return logits


class LinearHead(nn.Module):
    """A linear map of the flat tokens to one logit per task.

    Example:
        >>> import torch
        >>> LinearHead(num_tokens=3, token_dim=4)(torch.randn(2, 3, 4)).shape
        torch.Size([2, 1])

    Source: the "flatten" head of the code published with arXiv 2605.23191.
    """

    def __init__(self, *, num_tokens: int, token_dim: int, num_tasks: int = 1) -> None:
        super().__init__()
        self.linear = nn.Linear(num_tokens * token_dim, num_tasks)
        init_linear_(self)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch task"]:
        """Compute linear(flat tokens)."""
        logits: Tensor = self.linear(tokens.flatten(1))
        return logits


class MeanHead(nn.Module):
    """The mean over tokens and dim, the same logit for every task; no parameters.

    Example:
        >>> import torch
        >>> MeanHead()(torch.ones(2, 3, 4)).tolist()
        [[1.0], [1.0]]

    Source: the code published with arXiv 2605.23191.
    """

    def __init__(self, *, num_tasks: int = 1) -> None:
        super().__init__()
        self.num_tasks = num_tasks

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch task"]:
        """Average over tokens and dim."""
        return tokens.mean(dim=(1, 2)).unsqueeze(1).expand(-1, self.num_tasks)


class PooledHead(nn.Module):
    """The mean over the tokens, then an MLP of their D coordinates to one logit per task.

    Args:
        token_dim: D.
        num_tasks: number of tasks.
        projection: makes the MLP for an ``in_dim`` and an ``out_dim``.

    Example:
        >>> import torch
        >>> PooledHead(token_dim=4)(torch.randn(2, 3, 4)).shape
        torch.Size([2, 1])

    Source: RankMixer, arXiv 2507.15551, and TokenMixer-Large, arXiv 2602.06563.
    """

    def __init__(
        self, *, token_dim: int, num_tasks: int = 1, projection: Callable[..., Projection] = Projection
    ) -> None:
        super().__init__()
        self.mlp = projection(in_dim=token_dim, out_dim=num_tasks)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch task"]:
        """Average over the tokens and apply the MLP."""
        logits: Tensor = self.mlp(tokens.mean(dim=1))
        return logits

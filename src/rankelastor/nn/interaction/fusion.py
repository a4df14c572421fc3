"""The bilinear fusion of two vectors by heads, with which FinalMLP joins its streams."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.divisibility import check_divides
from rankelastor.nn.init import init_linear_
from rankelastor.nn.sizes import PositiveInt


class BilinearFusion(nn.Module):
    """w1 s1 + w2 s2 + b + sum over heads of s1_h^T W_h s2_h: two vectors -> logits (batch, task).

    The vectors are cut into ``num_heads`` equal parts s1_h and s2_h; each pair of parts and each task has a matrix.

    Args:
        first_dim: width of s1.
        second_dim: width of s2.
        num_tasks: number of tasks.
        num_heads: number of parts; it must divide both widths.

    Example:
        >>> BilinearFusion(first_dim=6, second_dim=4, num_heads=2)(torch.randn(3, 6), torch.randn(3, 4)).shape
        torch.Size([3, 1])

    Source: FinalMLP, arXiv 2304.00902, equations 5 and 6.
    """

    def __init__(self, *, first_dim: int, second_dim: int, num_tasks: int = 1, num_heads: PositiveInt = 1) -> None:
        super().__init__()
        first_part = _part(first_dim, "the last width of stream 1", num_heads)
        second_part = _part(second_dim, "the last width of stream 2", num_heads)
        self.num_heads, self.num_tasks = num_heads, num_tasks
        self.first = nn.Linear(first_dim, num_tasks)
        self.second = nn.Linear(second_dim, num_tasks, bias=False)
        self.weight = nn.Parameter(torch.empty(num_heads, first_part, num_tasks * second_part))
        init_linear_(self)
        # As the benchmark code draws it: Xavier normal of one matrix (head * first * second, task).
        nn.init.normal_(self.weight, std=(2.0 / (num_heads * first_part * second_part + num_tasks)) ** 0.5)

    def forward(
        self, first: Float[Tensor, "batch first"], second: Float[Tensor, "batch second"]
    ) -> Float[Tensor, "batch task"]:
        """Compute the logits."""
        parts = first.unflatten(1, (self.num_heads, -1)).transpose(0, 1)
        mapped = torch.bmm(parts, self.weight).unflatten(2, (self.num_tasks, -1))
        others = second.unflatten(1, (self.num_heads, -1)).transpose(0, 1).unsqueeze(2)
        products = (mapped * others).sum(dim=(0, 3))
        logits: Tensor = self.first(first) + self.second(second) + products
        return logits


def _part(width: int, name: str, num_heads: int) -> int:
    return check_divides(width, name, num_heads, "num_heads", purpose="the fusion of two streams")

"""Piecewise-linear encoding of numbers: between the edges of buckets, embeddings are interpolated."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn


class PiecewiseLinear(nn.Module):
    """(1 - w) E[k] + w E[k + 1] for a number at position k + w, that is between edge k and edge k + 1 of its feature.

    Each feature has a row of the table for each of its edges, counted from 1, and a last one for blanks, whose position
    is 0. The layer holds no rows: it says which are looked up, and combines what was found.

    With E[k] = b + w_1 + ... + w_k it is the linear map of the published encoding (1, ..., 1, w, 0, ..., 0), so that
    either can be written as the other; here penalties and initial values are those of embedding rows.

    NOTE[DIFF]: a number below the first or above the last edge counts as that edge, and is not extrapolated; the data
    clip it (tests/data/kinds/test_piecewise_linear.py).

    Args:
        num_edges: number of edges of each feature.
        first_row: row of the table where the rows of the first feature begin.

    Example:
        >>> layer = PiecewiseLinear(num_edges=[3], first_row=1)
        >>> positions = torch.tensor([[2.25], [3.0], [0.0]])
        >>> layer.rows_of(positions).tolist()  # rows 1 to 3 are edges, row 4 is the blank
        [[2, 3], [3, 3], [4, 4]]
        >>> found = torch.tensor([[[8.0], [4.0]], [[4.0], [4.0]], [[7.0], [7.0]]])
        >>> layer(found, positions).flatten().tolist()  # 8 * 3/4 + 4 * 1/4
        [7.0, 4.0, 7.0]

    Source: Gorishniy et al. 2022, arXiv 2203.05556, equation 1.
    """

    last_edge: Tensor
    offset: Tensor

    def __init__(self, *, num_edges: Sequence[int], first_row: int) -> None:
        super().__init__()
        last_edge = torch.tensor(list(num_edges), dtype=torch.int64)
        self.num_rows = sum(num_edges) + len(num_edges)
        starts = first_row + torch.cumsum(last_edge + 1, dim=0) - (last_edge + 1)
        self.register_buffer("last_edge", last_edge, persistent=False)
        self.register_buffer("offset", starts - 1, persistent=False)

    def rows_of(self, positions: Float[Tensor, "batch feature"]) -> Integer[Tensor, "batch column"]:
        """Find two rows of the table for each number, side by side: the edge below and the edge above."""
        lower = positions.floor().to(torch.int64)
        upper = torch.minimum(lower + 1, self.last_edge)
        is_blank = lower == 0
        both = torch.stack([torch.where(is_blank, self.last_edge + 1, edge) for edge in (lower, upper)], dim=2)
        return (both + self.offset.unsqueeze(1)).flatten(1)

    def forward(
        self, found: Float[Tensor, "batch column dim"], positions: Float[Tensor, "batch feature"]
    ) -> Float[Tensor, "batch feature dim"]:
        """Interpolate between the rows found."""
        below, above = found.unflatten(1, (-1, 2)).unbind(2)
        share = (positions - positions.floor()).unsqueeze(2)
        return torch.lerp(below, above, share.to(found.dtype))

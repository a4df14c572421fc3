"""Embedding rows that lie elsewhere than in the module, such as in several processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

PIECE_NUMBERS = 1 << 22
"""How many initial values are drawn at a time."""
_PATTERN = 16
"""PyTorch draws normal numbers sixteen at a time, so that pieces of a multiple of it are those of the whole."""


class RowsElsewhere(Protocol):
    """A table of rows that a ``FieldEmbedding`` does not hold itself."""

    def __call__(self, rows: Integer[Tensor, "*batch"]) -> Float[Tensor, "*batch embedding_dim"]:
        """Look rows up, without gradient; all processes that share the table must call it together."""

    def fill(self, first: int, rows: Float[Tensor, "row embedding_dim"]) -> None:
        """Overwrite the rows from ``first`` on; row 0 is padding and stays zero."""


def draw_in_pieces(
    num_rows: int, dim: int, *, std: float, piece: int = PIECE_NUMBERS
) -> Iterator[tuple[int, Float[Tensor, "row dim"]]]:
    """Draw the initial rows of a table N(0, std) piece by piece: the numbers that ``nn.init.normal_`` gives the whole.

    Args:
        num_rows: rows of the table.
        dim: their width.
        std: standard deviation.
        piece: about how many numbers are drawn at a time.

    Yields:
        The index of the first row of a piece, and its rows.

    Example:
        >>> [(first, tuple(rows.shape)) for first, rows in draw_in_pieces(70, 4, std=1.0, piece=100)]
        [(0, (16, 4)), (16, (16, 4)), (32, (16, 4)), (48, (22, 4))]
    """
    size = max(_PATTERN, piece // dim // _PATTERN * _PATTERN)
    first = 0
    while first < num_rows:
        stop = min(first + size, num_rows)
        stop = num_rows if num_rows - stop < _PATTERN else stop  # PyTorch draws fewer than sixteen otherwise
        yield first, nn.init.normal_(torch.empty(stop - first, dim), std=std)
        first = stop

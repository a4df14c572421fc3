"""What an entry of the table of layers says, and entries of layers of tokens and of fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

Shape = tuple[int, ...]
TOKENS: dict[str, Any] = {"num_tokens": 3, "token_dim": 6}
FIELDS: dict[str, Any] = {"num_fields": 4, "embedding_dim": 6}


@dataclass(frozen=True)
class Entry:
    """How a layer is called, on what shape, with what result, and on what shapes it must not be.

    Attributes:
        make: builds the layer.
        shape: of a right input.
        out: shape of its result.
        ranks: inputs of another rank.
        sizes: inputs of the right rank and another size.
        call: calls the layer on an input.
    """

    make: Callable[[], nn.Module]
    shape: Shape
    out: Shape
    ranks: tuple[Shape, ...]
    sizes: tuple[Shape, ...]
    call: Callable[[nn.Module, Tensor], Tensor] = lambda layer, x: layer(x)


def of_tokens(
    make: Callable[[], nn.Module], *, out: Shape = (2, 3, 6), sizes: tuple[Shape, ...] | None = None
) -> Entry:
    """A layer of tokens (2, 3, 6)."""
    if sizes is None:
        sizes = ((2, 3, 5), (2, 4, 6), (2, 1, 6), (2, 3, 1))
    return Entry(make, (2, 3, 6), out, ((3, 6), (2, 18), (18,), (1, 2, 3, 6)), sizes)


def of_fields(make: Callable[[], nn.Module], *, out: Shape = (2, 3, 6)) -> Entry:
    """A layer of field embeddings (2, 4, 6)."""
    sizes = ((2, 5, 6), (2, 4, 5), (2, 4, 7), (2, 1, 6))
    return Entry(make, (2, 4, 6), out, ((4, 6), (2, 24), (1, 2, 4, 6)), sizes)

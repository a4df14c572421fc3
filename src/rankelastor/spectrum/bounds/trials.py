"""The trials of the theory check: the settings of each statement, and how one seeded trial is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from jaxtyping import Float64
from torch import Generator, Tensor
from torch.nn import functional

from rankelastor.spectrum.bounds.check import BoundCheck
from rankelastor.spectrum.bounds.ffn import (
    Activation,
    ffn_contraction,
    ffn_rank_bound,
    gate_rank_bound,
    gate_stable_rank_gain,
)
from rankelastor.spectrum.bounds.mixing import (
    apply_split_mixing,
    block_mixing_reach,
    split_mixing_lower_bound,
    split_mixing_upper_bound,
)

ACTIVATIONS: dict[str, Activation] = {
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
    "identity": lambda values: values,
}
SCALES = (0.1, 1.0, 10.0)
"""Standard deviation of an entry of ``X A``, the input of the activation."""
MIXING_SIZES = ((8, 16), (16, 32), (24, 24))
SIZE = (26, 30)
"""Number of tokens and token width for the FFN and the gate: the published Criteo setting."""
WIDE = 2 * SIZE[1]
"""Inner width, unless the setting overrides it."""

Size = tuple[int, int]
Setting = dict[str, str | int | float]
Tokens = Callable[[Generator, Size], Tensor]
Pair = Callable[[Generator, Size], tuple[Tensor, Tensor]]
MixingBound = Callable[[Tensor, Tensor], BoundCheck]
FFNBound = Callable[[Tensor, Activation, Tensor, Tensor], BoundCheck]
GateBound = Callable[[Tensor, Activation, Tensor, Tensor], BoundCheck]


@dataclass(frozen=True)
class Trials:
    """One row of the theory check: a statement, the setting it is checked in, and how one trial is drawn."""

    statement: str
    setting: Setting
    draw: Callable[[Generator], BoundCheck]


def all_trials() -> Iterator[Trials]:
    """Yield every statement in every setting, in the order of the paper."""
    yield from _split_mixing()
    yield from _ffn_rank()
    yield from _ffn_contraction()
    yield from _block_mixing()
    yield from _gate()


def gaussian(generator: Generator, *shape: int) -> Float64[Tensor, "*shape"]:
    """Draw a float64 tensor with independent standard normal entries."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def gaussian_tokens(generator: Generator, size: Size) -> Float64[Tensor, "token dim"]:
    """Draw tokens without any structure, with independent standard normal entries."""
    return gaussian(generator, *size)


def tokens_of_rank(generator: Generator, size: Size, *, rank: int) -> Float64[Tensor, "token dim"]:
    """Draw a random matrix of the given rank whose entries have variance 1."""
    root: float = rank**0.5
    return gaussian(generator, size[0], rank) @ gaussian(generator, rank, size[1]) / root


def tokens_with_a_mean(generator: Generator, size: Size) -> Float64[Tensor, "token dim"]:
    """Draw Gaussian tokens around a common mean: full rank and low stable rank, as trained tokens often have."""
    return gaussian(generator, *size) * 0.3 + gaussian(generator, 1, size[1])


def _split_mixing() -> Iterator[Trials]:
    families: dict[str, Pair] = {
        "Gaussian tokens, split mixing": partial(_draw_split_mixing_pair, gaussian_tokens),
        "tokens with a common mean, split mixing": partial(_draw_split_mixing_pair, tokens_with_a_mean),
        "rank 2 tokens, split mixing": partial(_draw_split_mixing_pair, partial(tokens_of_rank, rank=2)),
        "orthogonal pair of equal norms, no mixing": _orthogonal_pair,
    }
    bounds = {"split_mixing_lower": split_mixing_lower_bound, "split_mixing_upper": split_mixing_upper_bound}
    for (statement, bound), size, (family, pair) in product(bounds.items(), MIXING_SIZES, families.items()):
        setting: Setting = {"num_tokens": size[0], "token_dim": size[1], "tokens": family}
        yield Trials(statement, setting, partial(_draw_mixing, bound=bound, pair=pair, size=size))


def _ffn_rank() -> Iterator[Trials]:
    families: dict[str, tuple[Tokens, bool]] = {
        "rank one, rows of one sign": (partial(_rank_one, one_sign=True), False),
        "rank one, rows of both signs": (_rank_one, False),
        "rank one, rows of both signs, separate weights per token": (_rank_one, True),
    }
    yield from _ffn_trials("ffn_rank", ffn_rank_bound, families)


def _ffn_contraction() -> Iterator[Trials]:
    families: dict[str, tuple[Tokens, bool]] = {
        "rank one, rows of both signs": (_rank_one, False),
        "common mean": (tokens_with_a_mean, False),
        "common mean, separate weights per token": (tokens_with_a_mean, True),
        "Gaussian": (gaussian_tokens, False),
        "Gaussian, separate weights per token": (gaussian_tokens, True),
    }
    yield from _ffn_trials("ffn_contraction", ffn_contraction, families)


def _ffn_trials(statement: str, bound: FFNBound, families: dict[str, tuple[Tokens, bool]]) -> Iterator[Trials]:
    for activation, scale, (family, (tokens, per_token)) in product(ACTIVATIONS, SCALES, families.items()):
        yield Trials(
            statement,
            {**_setting(activation, scale), "tokens": family},
            partial(_draw_ffn, bound=bound, tokens=tokens, activation=activation, scale=scale, per_token=per_token),
        )


def _block_mixing() -> Iterator[Trials]:
    for size in ((4, 8), (8, 8), (16, 4)):
        for rank in sorted({1, min(size) // 2, min(size)}):
            yield Trials(
                "block_mixing_reach",
                {"num_blocks": size[0], "block_dim": size[1], "rank": rank},
                partial(_draw_block_mixing, rank=rank, size=size),
            )


def _gate() -> Iterator[Trials]:
    for activation, scale, rank, width in product(ACTIVATIONS, SCALES, (1, 3, 8), (8, WIDE)):
        setting: Setting = {**_setting(activation, scale), "rank": rank, "inner_width": width}
        draw = partial(_draw_gate, bound=gate_rank_bound, activation=activation, scale=scale, rank=rank, width=width)
        yield Trials("gate_rank", setting, draw)
    for activation, scale, rank in product(ACTIVATIONS, SCALES, (1, 3, 26)):
        setting = {**_setting(activation, scale), "rank": rank, "inner_width": WIDE}
        draw = partial(
            _draw_gate, bound=gate_stable_rank_gain, activation=activation, scale=scale, rank=rank, width=WIDE
        )
        yield Trials("gate_gain", setting, draw)


def _draw_mixing(generator: Generator, *, bound: MixingBound, pair: Pair, size: Size) -> BoundCheck:
    return bound(*pair(generator, size))


def _draw_ffn(
    generator: Generator, *, bound: FFNBound, tokens: Tokens, activation: str, scale: float, per_token: bool
) -> BoundCheck:
    num_tokens, dim = SIZE
    by_token = (num_tokens,) if per_token else ()
    inner = gaussian(generator, *by_token, dim, WIDE) * (scale / dim**0.5)
    outer = gaussian(generator, *by_token, WIDE, dim) / WIDE**0.5
    return bound(tokens(generator, SIZE), ACTIVATIONS[activation], inner, outer)


def _draw_block_mixing(generator: Generator, *, rank: int, size: Size) -> BoundCheck:
    return block_mixing_reach(tokens_of_rank(generator, size, rank=rank))


def _draw_gate(
    generator: Generator, *, bound: GateBound, activation: str, scale: float, rank: int, width: int
) -> BoundCheck:
    dim = SIZE[1]
    gate = gaussian(generator, dim, width) * (scale / dim**0.5)
    value = gaussian(generator, dim, width) / dim**0.5
    return bound(tokens_of_rank(generator, SIZE, rank=rank), ACTIVATIONS[activation], gate, value)


def _draw_split_mixing_pair(make: Tokens, generator: Generator, size: Size) -> tuple[Tensor, Tensor]:
    tokens = make(generator, size)
    return tokens, apply_split_mixing(tokens)


def _orthogonal_pair(generator: Generator, size: Size) -> tuple[Tensor, Tensor]:
    one, other = tokens_of_rank(generator, size, rank=3), gaussian(generator, *size)
    other = other - one * ((one * other).sum() / one.square().sum())
    return one, other * (one.norm() / other.norm())


def _rank_one(generator: Generator, size: Size, *, one_sign: bool = False) -> Float64[Tensor, "token dim"]:
    weights = gaussian(generator, size[0], 1)
    return (weights.abs() if one_sign else weights) * gaussian(generator, 1, size[1])


def _setting(activation: str, scale: float) -> Setting:
    return {"num_tokens": SIZE[0], "token_dim": SIZE[1], "activation": activation, "scale": scale}

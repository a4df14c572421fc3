"""Checks of the paper's statements about mixing on given matrices (arXiv 2605.23191).

Both concern the sum before any norm. They do not cover the LayerNorm that follows split mixing in RankMixer, which
changes the spectrum.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from rankelastor.spectrum.bounds.check import BoundCheck, Condition
from rankelastor.spectrum.measures import numerical_rank, stable_rank

ROUNDING = 1e-9


def apply_split_mixing(tokens: Float[Tensor, "token dim"]) -> Float[Tensor, "token dim"]:
    """Apply the parameter-free swap of split mixing: view as (T, T, D/T), swap the first two axes, flatten.

    Raises:
        ValueError: If T does not divide D.

    Example:
        >>> apply_split_mixing(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[1., 3.],
                [2., 4.]])
    """
    num_tokens, dim = tokens.shape
    if dim % num_tokens:
        raise ValueError(f"the number of tokens must divide the token width, but {num_tokens} x {dim} was given")
    return tokens.reshape(num_tokens, num_tokens, -1).transpose(0, 1).flatten(1)


def split_mixing_lower_bound(tokens: Float[Tensor, "token dim"], mixed: Float[Tensor, "token dim"]) -> BoundCheck:
    r"""Check whether ``sr(X + Y) >= 2 k mu / (sqrt k + sqrt mu)^2`` for stable ranks k of X and mu of the mixed Y.

    Proof: with ``|X|_F = |Y|_F = F`` and ``<X, Y> >= 0``, ``|X + Y|_F^2 >= 2 F^2``, and by the triangle inequality
    ``|X + Y|_2 <= F / sqrt k + F / sqrt mu``. The paper assumes ``<X, Y> = 0``; a nonnegative inner product suffices.
    The bound can fail for a negative one: for Y = -X the sum is zero and has no stable rank (nan). The bound is k / 2
    for k = mu and never above 2 min(k, mu), so it guarantees no expansion where X and Y have similar stable ranks.

    Example:
        >>> left, right = torch.diag(torch.tensor([1.0, 0.0])), torch.diag(torch.tensor([0.0, 1.0]))
        >>> check = split_mixing_lower_bound(left, right)
        >>> check.bound, check.measured, check.conditions_hold
        (0.5, 2.0, True)
    """
    tokens, mixed = tokens.double(), mixed.double()
    root_k, root_mu = (math.sqrt(float(stable_rank(matrix))) for matrix in (tokens, mixed))
    cosine = _cosine(tokens, mixed)
    return BoundCheck(
        statement="split_mixing_lower",
        side="at least",
        bound=2 * (root_k * root_mu / (root_k + root_mu)) ** 2,
        measured=float(stable_rank(tokens + mixed)),
        conditions=(
            _equal_norms(tokens, mixed),
            Condition("the inner product of X and Y is not negative", cosine >= -ROUNDING),
        ),
    )


def split_mixing_upper_bound(tokens: Float[Tensor, "token dim"], mixed: Float[Tensor, "token dim"]) -> BoundCheck:
    """Check whether ``sr(X + Y) <= 2 (k + mu)``, which the paper states as "about", under a sufficient condition.

    Let Z be the one of X and Y with the larger spectral norm s, (u, v) its leading singular vectors, and
    ``a = u^T (X + Y - Z) v / s`` the overlap of the other with them. Then ``|X + Y|_2 >= |u^T (X + Y) v| = s |1 + a|``;
    with ``|X + Y|_F^2 = 2 F^2 (1 + cos)`` and ``F^2 / (k + mu) <= s^2 / 2`` the bound holds wherever
    ``a >= sqrt((1 + cos) / 2) - 1``. Incoherent leading directions (a near 0) meet this for any cosine; it fails where
    Y cancels the leading direction of X. The bound is often vacuous: it may lie above min(T, D).
    """
    tokens, mixed = tokens.double(), mixed.double()
    k, mu = float(stable_rank(tokens)), float(stable_rank(mixed))
    # For equal Frobenius norms the matrix of smaller stable rank has the larger spectral norm.
    larger, other = (tokens, mixed) if k <= mu else (mixed, tokens)
    cosine = max(_cosine(tokens, mixed), -1.0)
    needed = math.sqrt((1 + cosine) / 2) - 1
    return BoundCheck(
        statement="split_mixing_upper",
        side="at most",
        bound=2 * (k + mu),
        measured=float(stable_rank(tokens + mixed)),
        conditions=(
            _equal_norms(tokens, mixed),
            Condition("Y does not cancel the leading direction of X", _overlap(larger, other) >= needed - ROUNDING),
        ),
    )


def block_mixing_reach(blocks: Float[Tensor, "block block_dim"]) -> BoundCheck:
    """Check whether the images of the given blocks under ``W (x) I_d`` span fewer dimensions than under full mixing.

    A block mixing with scalars W makes each new block a linear combination of the given blocks, so for n blocks of
    rank r in R^d its images span n * r dimensions. Those of full mixing span all n * d (unless all blocks are zero).
    Block mixing spans fewer if and only if r < d, which always holds for n < d. As linear maps, block mixing has n^2
    parameters and full mixing (n d)^2.

    The measured value is the rank of the linear map ``W -> (W (x) I_d) vec X``; the bound is ``n d - 1``.

    Example:
        >>> check = block_mixing_reach(torch.eye(2, 3))
        >>> check.measured, check.bound, check.conditions_hold
        (4.0, 5.0, True)
    """
    blocks = blocks.double()
    num_blocks, block_dim = blocks.shape
    # Row (i, c), column (j, l) of the map holds the derivative of entry (i, c) of W X by W_jl, which is [i = j] X_lc.
    by_weight = torch.kron(torch.eye(num_blocks, dtype=torch.float64), blocks.mT.contiguous())
    span = int(torch.linalg.matrix_rank(blocks))
    return BoundCheck(
        statement="block_mixing_reach",
        side="at most",
        bound=float(num_blocks * block_dim - 1),
        measured=float(numerical_rank(by_weight)),
        conditions=(
            Condition("the blocks do not span R^d", span < block_dim),
            Condition("not all blocks are zero", span > 0),
        ),
    )


def _equal_norms(tokens: Float[Tensor, "token dim"], mixed: Float[Tensor, "token dim"]) -> Condition:
    norm, other = float(tokens.norm()), float(mixed.norm())
    return Condition("X and Y have equal Frobenius norms", abs(norm - other) <= ROUNDING * max(norm, other))


def _cosine(tokens: Float[Tensor, "token dim"], mixed: Float[Tensor, "token dim"]) -> float:
    return float((tokens * mixed).sum() / (tokens.norm() * mixed.norm()))


def _overlap(larger: Float[Tensor, "token dim"], other: Float[Tensor, "token dim"]) -> float:
    left, values, right = torch.linalg.svd(larger, full_matrices=False)
    return float(left[:, 0] @ other @ right[0] / values[0])

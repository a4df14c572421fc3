"""The paper's statements about the FFN and the gate, held against given matrices (arXiv 2605.23191).

Both are about the sublayer alone: no bias, no norm, and no residual, which every block of an actual ranker has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from rankelastor.spectrum.bounds.check import BoundCheck, Condition
from rankelastor.spectrum.measures import numerical_rank, stable_rank

Activation = Callable[[Tensor], Tensor]
RANK_TOLERANCE = 1e-11
"""Singular values under this share of the largest count as zero; all is computed in float64."""
HOMOGENEITY_ROUNDING = 1e-12
FACTORS = (0.5, 2.0, 3.0)
"""Positive homogeneity, phi(cx) = c phi(x), is tried with these c."""


def ffn_rank_bound(
    tokens: Float[Tensor, "token dim"],
    activation: Activation,
    inner: Float[Tensor, "dim hidden"] | Float[Tensor, "token dim hidden"],
    outer: Float[Tensor, "hidden dim"] | Float[Tensor, "token hidden dim"],
) -> BoundCheck:
    """Whether ``rank(phi(X A) B) <= 2`` for X of rank one, and <= 1 where no two rows of X point opposite ways.

    Proof: for ``X = u w^T`` and positively homogeneous phi, row i is ``u_i phi(w^T A)`` where u_i >= 0 and
    ``|u_i| phi(-w^T A)`` where u_i < 0. The condition that the paper leaves unsaid: all rows share A and B. A per-token
    FFN, RankMixer's and RankElastor's, gives each row its own, and then a rank-one X may come out with any rank. A bias
    breaks it too.

    Args:
        tokens: X.
        activation: phi.
        inner: A, shared or by token.
        outer: B, shared or by token.
    """
    tokens = tokens.double()
    output = _ffn(tokens, activation, inner, outer)
    leading: Tensor = torch.linalg.svd(tokens, full_matrices=False).U[:, 0]
    # a row of zeros has no sign, and rounding must not give it one
    signs = {bool(weight > 0) for weight in leading if abs(weight) > RANK_TOLERANCE}
    return BoundCheck(
        statement="ffn_rank",
        side="at most",
        bound=float(len(signs)),
        measured=float(numerical_rank(output, tolerance=RANK_TOLERANCE)),
        conditions=(
            Condition("X has rank one", float(numerical_rank(tokens, tolerance=RANK_TOLERANCE)) == 1),
            Condition("phi is positively homogeneous", is_homogeneous_on(activation, _each_row(tokens, inner))),
            _shared(inner, outer),
        ),
    )


def ffn_contraction(
    tokens: Float[Tensor, "token dim"],
    activation: Activation,
    inner: Float[Tensor, "dim hidden"] | Float[Tensor, "token dim hidden"],
    outer: Float[Tensor, "hidden dim"] | Float[Tensor, "token hidden dim"],
    *,
    alpha: float = 1.0,
) -> BoundCheck:
    """Whether ``sr(phi(X A) B) <= alpha sr(X)``, which the paper says of low stable rank with high probability.

    A single draw cannot meet or break "with high probability": `theory.check_bounds` counts the share of draws. There
    is no alpha < 1 that holds for all X: a stable rank is never below 1, so nothing contracts at 1. And a rank-one X
    with rows of both signs grows: relu(w) and relu(-w) have no coordinate in common, which takes 1 to nearly 2.
    """
    tokens = tokens.double()
    before = float(stable_rank(tokens))
    output = _ffn(tokens, activation, inner, outer)
    return BoundCheck(
        statement="ffn_contraction",
        side="at most",
        bound=alpha * before,
        measured=float(stable_rank(output)),
        conditions=(
            Condition("phi is positively homogeneous", is_homogeneous_on(activation, _each_row(tokens, inner))),
            _shared(inner, outer),
            Condition("alpha times the stable rank of X is not under 1", alpha * before >= 1),
        ),
    )


def gate_rank_bound(
    tokens: Float[Tensor, "token dim"],
    activation: Activation,
    gate: Float[Tensor, "dim hidden"],
    value: Float[Tensor, "dim hidden"],
) -> BoundCheck:
    """Whether ``rank(phi(X A) * (X C)) >= min(D, k(k+1)/2)`` for X of rank k.

    No rank exceeds the rows or the inner width, so the bound here is the lesser of these and the paper's; where they
    are the lesser, the condition "rows and inner width leave room" says so. Write ``X = Z V^T`` with k columns. The
    other condition is on X: the products ``z_i z_j`` of the coordinates of its rows must be independent
    (rank k(k+1)/2, or as many as there are rows), which generic rows are and which rows of few distinct values are not.

    Why, for A and C with a density: ``phi(t) - phi(-t)`` is t (relu, gelu), a multiple of it (leaky relu, identity) or
    tends to one as t does to 0 (tanh), so all columns that could be drawn span at least those products. Analytic phi
    (gelu, tanh, identity) and leaky relu then reach the bound with probability one. Relu need not: a column is zero
    where ``X a`` has no positive entry, so it takes more width than the bound, which the paper's "enough width" hides;
    the last condition says so.
    """
    tokens = tokens.double()
    num_tokens, dim = tokens.shape
    k = int(numerical_rank(tokens, tolerance=RANK_TOLERANCE))
    promised = min(dim, k * (k + 1) // 2)
    room = min(num_tokens, gate.shape[-1])
    products = int(numerical_rank(_products_of_coordinates(tokens, k), tolerance=RANK_TOLERANCE))
    gate_input = tokens @ gate.double()
    is_flat = bool(((activation(gate_input) == 0) & (gate_input != 0)).any())
    return BoundCheck(
        statement="gate_rank",
        side="at least",
        bound=float(min(promised, room)),
        measured=float(numerical_rank(_gate(tokens, activation, gate, value), tolerance=RANK_TOLERANCE)),
        conditions=(
            Condition("rows and inner width leave room for min(D, k(k+1)/2)", promised <= room),
            Condition("the products of the rows' coordinates are independent", products >= min(promised, num_tokens)),
            Condition("phi is nowhere flat on the gate's inputs, as relu is", not is_flat),
        ),
    )


def gate_stable_rank_gain(
    tokens: Float[Tensor, "token dim"],
    activation: Activation,
    gate: Float[Tensor, "dim hidden"],
    value: Float[Tensor, "dim hidden"],
    *,
    delta: float = 0.0,
) -> BoundCheck:
    """Whether ``sr(phi(X A) * (X C)) >= sr(X) + delta``, which the paper says with high probability at random values.

    Counted over draws by `theory.check_bounds`. It cannot hold where X uses all its rows or columns already:
    sr(X) + delta must leave room below min(rows, inner width).
    """
    tokens = tokens.double()
    bound = float(stable_rank(tokens)) + delta
    return BoundCheck(
        statement="gate_gain",
        side="at least",
        bound=bound,
        measured=float(stable_rank(_gate(tokens, activation, gate, value))),
        conditions=(
            Condition("sr(X) + delta is at most rows and inner width", bound <= min(len(tokens), gate.shape[-1])),
        ),
    )


def is_homogeneous_on(activation: Activation, inputs: Float[Tensor, "*any"]) -> bool:
    """Whether ``phi(c x) = c phi(x)`` up to rounding for the given inputs, their negatives, and c of 1/2, 2 and 3.

    Example:
        >>> inputs = torch.linspace(-2, 2, 9, dtype=torch.float64)
        >>> is_homogeneous_on(torch.relu, inputs), is_homogeneous_on(torch.nn.functional.gelu, inputs)
        (True, False)
    """
    both = torch.cat([inputs.flatten(), -inputs.flatten()])
    limit = HOMOGENEITY_ROUNDING * max(float(both.abs().max()), torch.finfo(torch.float64).tiny)
    return all(bool(((activation(c * both) - c * activation(both)).abs() <= limit * c).all()) for c in FACTORS)


def departure_from_homogeneity(activation: Activation, *, scale: float, factors: Sequence[float] = FACTORS) -> float:
    """How far phi is off positive homogeneity: sup of ``|phi(cx) - c phi(x)| / (c scale)`` over |x| <= scale and c.

    Range: 0 for relu, leaky relu and the identity. GELU: small for small inputs, where it is nearly x / 2, largest for
    inputs of 0.3 to 1, and falling as 1 / scale for large ones, where it is nearly relu. The sup is over 4,001 x.

    Example:
        >>> gelu = torch.nn.functional.gelu
        >>> [round(departure_from_homogeneity(gelu, scale=scale), 3) for scale in (0.01, 1.0, 100.0)]
        [0.008, 0.163, 0.003]
    """
    inputs = torch.linspace(-scale, scale, 4001, dtype=torch.float64)
    return max(float((activation(c * inputs) - c * activation(inputs)).abs().max()) / (c * scale) for c in factors)


def _each_row(rows: Float[Tensor, "token dim"], weight: Tensor) -> Float[Tensor, "token hidden"]:
    weight = weight.double()
    if weight.ndim == rows.ndim:
        return rows @ weight
    return torch.einsum("td,tdh->th", rows, weight)


def _ffn(tokens: Float[Tensor, "token dim"], activation: Activation, inner: Tensor, outer: Tensor) -> Tensor:
    return _each_row(activation(_each_row(tokens, inner)), outer)


def _gate(tokens: Float[Tensor, "token dim"], activation: Activation, gate: Tensor, value: Tensor) -> Tensor:
    return activation(tokens @ gate.double()) * (tokens @ value.double())


def _shared(inner: Tensor, outer: Tensor) -> Condition:
    return Condition("all tokens share the weights", inner.ndim == outer.ndim == 2)  # noqa: PLR2004 - a matrix


def _products_of_coordinates(tokens: Float[Tensor, "token dim"], k: int) -> Float[Tensor, "token product"]:
    coordinates: Tensor = torch.linalg.svd(tokens, full_matrices=False).U[:, :k]
    first, second = torch.triu_indices(k, k)
    return coordinates[:, first] * coordinates[:, second]

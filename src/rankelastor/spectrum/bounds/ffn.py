"""Checks of the paper's statements about the FFN and the gate on given matrices (arXiv 2605.23191).

Both concern the sublayer alone, without the bias, norm and residual that every block of an actual ranker has.
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
"""Singular values under this share of the largest count as zero; everything is computed in float64."""
HOMOGENEITY_ROUNDING = 1e-12
FACTORS = (0.5, 2.0, 3.0)
"""Values of c with which positive homogeneity, phi(cx) = c phi(x), is tested."""


def ffn_rank_bound(
    tokens: Float[Tensor, "token dim"],
    activation: Activation,
    inner: Float[Tensor, "dim hidden"] | Float[Tensor, "token dim hidden"],
    outer: Float[Tensor, "hidden dim"] | Float[Tensor, "token hidden dim"],
) -> BoundCheck:
    """Check whether ``rank(phi(X A) B) <= 2`` for X of rank one, and <= 1 where no two rows of X are opposite.

    Proof: for ``X = u w^T`` and positively homogeneous phi, row i is ``u_i phi(w^T A)`` where u_i >= 0 and
    ``|u_i| phi(-w^T A)`` where u_i < 0. The paper does not state one condition: all rows share A and B. The per-token
    FFNs of RankMixer and RankElastor have separate weights for each row, so the output for a rank-one X may have any
    rank. A bias violates the bound too.

    Args:
        tokens: The matrix X.
        activation: The function phi.
        inner: The matrix A, shared or per token.
        outer: The matrix B, shared or per token.
    """
    tokens = tokens.double()
    output = _ffn(tokens, activation, inner, outer)
    leading: Tensor = torch.linalg.svd(tokens, full_matrices=False).U[:, 0]
    # A row of zeros has no sign, and rounding errors must not count as one.
    signs = {bool(weight > 0) for weight in leading if abs(weight) > RANK_TOLERANCE}
    return BoundCheck(
        statement="ffn_rank",
        side="at most",
        bound=float(len(signs)),
        measured=float(numerical_rank(output, tolerance=RANK_TOLERANCE)),
        conditions=(
            Condition("X has rank one", float(numerical_rank(tokens, tolerance=RANK_TOLERANCE)) == 1),
            Condition("phi is positively homogeneous", is_homogeneous_on(activation, _map_rows(tokens, inner))),
            _shared_weights_condition(inner, outer),
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
    """Check whether ``sr(phi(X A) B) <= alpha sr(X)``, the paper's claim for low stable rank with high probability.

    A single draw cannot confirm or refute "with high probability": `monte_carlo.check_bounds` computes the share of
    draws in which the bound holds. No alpha < 1 holds for all X: a stable rank is never below 1, so X of stable rank 1
    cannot contract. The stable rank of a rank-one X with rows of both signs even grows, from 1 to nearly 2, because
    relu(w) and relu(-w) have no nonzero coordinate in common.
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
            Condition("phi is positively homogeneous", is_homogeneous_on(activation, _map_rows(tokens, inner))),
            _shared_weights_condition(inner, outer),
            Condition("alpha times the stable rank of X is at least 1", alpha * before >= 1),
        ),
    )


def gate_rank_bound(
    tokens: Float[Tensor, "token dim"],
    activation: Activation,
    gate: Float[Tensor, "dim hidden"],
    value: Float[Tensor, "dim hidden"],
) -> BoundCheck:
    """Check whether ``rank(phi(X A) * (X C)) >= min(D, k(k+1)/2)`` for X of rank k.

    No rank exceeds the number of rows or the inner width, so the bound here is the minimum of these and the paper's
    bound; the condition "rows and inner width leave room" fails where they limit it. Write ``X = Z V^T`` with k
    columns. The second condition is on X: the products ``z_i z_j`` of the coordinates of its rows must be independent
    (rank k(k+1)/2, or the number of rows if that is smaller). It holds for generic rows and fails for rows with few
    distinct values.

    Reason, for A and C with a density: ``phi(t) - phi(-t)`` equals t (relu, gelu) or a multiple of t (leaky relu,
    identity), or approaches such a multiple as t tends to 0 (tanh), so all columns that could be drawn span at least
    those products. Analytic phi (gelu, tanh, identity) and leaky relu then reach the bound with probability one. Relu
    may fall short: a column is zero where ``X a`` has no positive entry, so relu needs a larger width than the bound.
    The paper's "enough width" covers this; the last condition states it.
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
    """Check whether ``sr(phi(X A) * (X C)) >= sr(X) + delta``, the paper's claim for random weights.

    The claim is "with high probability": `monte_carlo.check_bounds` computes the share of draws in which it holds. It
    cannot hold where sr(X) + delta exceeds min(rows, inner width).
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
    """Tell whether ``phi(c x) = c phi(x)`` up to rounding for the inputs, their negatives, and c = 1/2, 2 and 3.

    Example:
        >>> inputs = torch.linspace(-2, 2, 9, dtype=torch.float64)
        >>> is_homogeneous_on(torch.relu, inputs), is_homogeneous_on(torch.nn.functional.gelu, inputs)
        (True, False)
    """
    both = torch.cat([inputs.flatten(), -inputs.flatten()])
    limit = HOMOGENEITY_ROUNDING * max(float(both.abs().max()), torch.finfo(torch.float64).tiny)
    return all(bool(((activation(c * both) - c * activation(both)).abs() <= limit * c).all()) for c in FACTORS)


def departure_from_homogeneity(activation: Activation, *, scale: float, factors: Sequence[float] = FACTORS) -> float:
    """Compute the departure from positive homogeneity: sup of ``|phi(cx) - c phi(x)| / (c scale)`` for |x| <= scale.

    The supremum is taken over 4,001 values of x and all c in ``factors``. It is 0 for relu, leaky relu and the
    identity. For GELU it is small at small scales, where GELU is nearly x / 2, largest at scales of 0.3 to 1, and falls
    as 1 / scale at large scales, where GELU is nearly relu.

    Example:
        >>> gelu = torch.nn.functional.gelu
        >>> [round(departure_from_homogeneity(gelu, scale=scale), 3) for scale in (0.01, 1.0, 100.0)]
        [0.008, 0.163, 0.003]
    """
    inputs = torch.linspace(-scale, scale, 4001, dtype=torch.float64)
    return max(float((activation(c * inputs) - c * activation(inputs)).abs().max()) / (c * scale) for c in factors)


def _map_rows(rows: Float[Tensor, "token dim"], weight: Tensor) -> Float[Tensor, "token hidden"]:
    weight = weight.double()
    if weight.ndim == rows.ndim:
        return rows @ weight
    return torch.einsum("td,tdh->th", rows, weight)


def _ffn(tokens: Float[Tensor, "token dim"], activation: Activation, inner: Tensor, outer: Tensor) -> Tensor:
    return _map_rows(activation(_map_rows(tokens, inner)), outer)


def _gate(tokens: Float[Tensor, "token dim"], activation: Activation, gate: Tensor, value: Tensor) -> Tensor:
    return activation(tokens @ gate.double()) * (tokens @ value.double())


def _shared_weights_condition(inner: Tensor, outer: Tensor) -> Condition:
    return Condition("all tokens share the weights", inner.ndim == outer.ndim == 2)  # noqa: PLR2004 - a matrix


def _products_of_coordinates(tokens: Float[Tensor, "token dim"], k: int) -> Float[Tensor, "token product"]:
    coordinates: Tensor = torch.linalg.svd(tokens, full_matrices=False).U[:, :k]
    first, second = torch.triu_indices(k, k)
    return coordinates[:, first] * coordinates[:, second]

"""Five measures of the effective number of directions of a matrix, each a function of its relative singular values.

`stable_rank` and the others compute one measure; `all_measures` computes several from one decomposition; `MEASURES`
describes each.

The bare term "effective rank" is avoided: the RankElastor paper (arXiv 2605.23191) means the stable rank by it, while
its authors' published code computes the entropy form. Name the measure and the matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rankelastor.config.spectrum import MeasureName
from rankelastor.errors import SettingsError
from rankelastor.spectrum.power_iteration import stable_rank_by_power_iteration
from rankelastor.spectrum.singular_values import SpectrumMethod, relative_singular_values, to_computable

StableRankMethod = SpectrumMethod | Literal["power"]


def stable_rank(
    matrix: Float[Tensor, "*batch row column"], *, method: StableRankMethod = "exact"
) -> Float[Tensor, "*batch"]:
    """Compute the stable rank ``sum s_i^2 / s_1^2``: the squared Frobenius norm over the squared spectral norm.

    Range: 1 .. rank; nan for a zero matrix and for NaN or infinite entries. Source: the RankElastor paper, eq. 1.

    Error: ``"exact"`` a few eps; ``"gram"`` under 1e-12 on top of the input's rounding; ``"power"`` is never below the
    true value and at most a factor min(row, column) ** (1 / 32) above, see `stable_rank_by_power_iteration`.

    Args:
        matrix: One matrix or many, over any leading axes.
        method: ``"exact"`` singular values, ``"gram"`` eigenvalues of the smaller Gram matrix, ``"power"`` iteration.

    Example:
        >>> stable_rank(torch.diag(torch.tensor([4.0, 2.0, 2.0])))  # (16 + 4 + 4) / 16
        tensor(1.5000)
    """
    if method == "power":
        return stable_rank_by_power_iteration(matrix)
    if method not in ("exact", "gram"):
        raise ValueError(f'the method must be one of "exact", "gram", "power", but {method!r} was given')
    return _stable_rank(relative_singular_values(matrix, method=method))


def entropy_effective_rank(
    matrix: Float[Tensor, "*batch row column"], *, method: SpectrumMethod = "exact"
) -> Float[Tensor, "*batch"]:
    """Compute the entropy effective rank ``exp(-sum p_i log p_i)`` with ``p_i = s_i / sum s``.

    Range: 1 .. rank; nan for a zero matrix and for NaN or infinite entries. Source: Roy and Vetterli 2007. At a
    singular value of zero the true derivative is infinite; the computed gradient is large and finite.

    Error: ``"exact"`` some eps; ``"gram"`` the same with float32 input, and up to about 1e-5 with float64 input where
    the matrix is rank deficient (zeros are computed as 1e-8).

    Example:
        >>> entropy_effective_rank(torch.diag(torch.tensor([3.0, 1.0])))  # exp of the entropy of (3/4, 1/4)
        tensor(1.7548)
    """
    return _entropy_effective_rank(relative_singular_values(matrix, method=method))


def participation_ratio(
    matrix: Float[Tensor, "*batch row column"], *, method: SpectrumMethod = "exact"
) -> Float[Tensor, "*batch"]:
    """Compute the participation ratio of the squared singular values, ``(sum s_i^2)^2 / sum s_i^4``.

    Range: 1 .. rank, never below the stable rank; nan for a zero matrix and for NaN or infinite entries.
    Error: ``"exact"`` a few eps; ``"gram"`` under 1e-12 on top of the input's rounding.

    Example:
        >>> participation_ratio(torch.diag(torch.tensor([2.0, 1.0])))  # 25 / 17
        tensor(1.4706)
    """
    return _participation_ratio(relative_singular_values(matrix, method=method))


def information_abundance(
    matrix: Float[Tensor, "*batch row column"], *, method: SpectrumMethod = "exact"
) -> Float[Tensor, "*batch"]:
    """Compute the information abundance ``sum s_i / s_1``: the nuclear norm over the spectral norm.

    Range: 1 .. rank, never below the stable rank; nan for a zero matrix and for NaN or infinite entries.
    Source: Guo et al. 2023, "On the embedding collapse when scaling up recommendation models", arXiv 2310.04400.
    Error: ``"exact"`` a few eps; ``"gram"`` at most min(row, column) * 1e-7.

    Example:
        >>> information_abundance(torch.diag(torch.tensor([4.0, 2.0, 1.0])))
        tensor(1.7500)
    """
    return _information_abundance(relative_singular_values(matrix, method=method))


def numerical_rank(
    matrix: Float[Tensor, "*batch row column"], *, method: SpectrumMethod = "exact", tolerance: float | None = None
) -> Float[Tensor, "*batch"]:
    """Compute the numerical rank, the number of singular values above ``tolerance * s_1``, as a float to allow nan.

    Range: 0 .. min(row, column), 0 for a zero matrix only; nan for NaN or infinite entries. It is piecewise constant
    and has no useful gradient. ``"gram"`` with float64 input cannot distinguish values under 1e-7 * s_1 from zero, and
    its default tolerance is larger accordingly.

    Args:
        matrix: One matrix or many, over any leading axes.
        method: ``"exact"`` singular values or ``"gram"``, eigenvalues of the smaller Gram matrix.
        tolerance: Threshold relative to the largest singular value. None selects NumPy's: max(row, column) * eps of
            the precision of the computation (float32 for half precision).

    Example:
        >>> numerical_rank(torch.outer(torch.arange(1.0, 4.0), torch.arange(1.0, 6.0)))
        tensor(1.)
    """
    chosen = default_tolerance(matrix, method=method) if tolerance is None else tolerance
    if not 0 <= chosen < 1:
        raise ValueError(f"the tolerance must satisfy 0 <= tolerance < 1, but {chosen} was given")
    return _numerical_rank(relative_singular_values(matrix, method=method), chosen)


def default_tolerance(matrix: Float[Tensor, "*batch row column"], *, method: SpectrumMethod) -> float:
    """Compute the share of ``s_1`` below which a singular value counts as zero: max(row, column) * eps, as in NumPy."""
    resolution = torch.finfo(to_computable(matrix).dtype).eps * max(matrix.shape[-2:])
    squared = (torch.finfo(torch.float64).eps * max(matrix.shape[-2:])) ** 0.5
    return float(max(resolution, squared) if method == "gram" else resolution)


def _stable_rank(relative: Float[Tensor, "*batch value"]) -> Float[Tensor, "*batch"]:
    return _nan_if_zero(relative.square().sum(dim=-1), relative)


def _entropy_effective_rank(relative: Float[Tensor, "*batch value"]) -> Float[Tensor, "*batch"]:
    # NOTE[DIFF]: the published analysis code adds 1e-12 to each singular value, which makes the measure depend on the
    # scale of the matrix and counts zeros. It is left out here; the results still agree within 1e-11 at the scale of
    # the parity files (test_stable_and_entropy_effective_rank_match_the_published_code).
    share = relative / relative.sum(dim=-1, keepdim=True)
    log_share = share.clamp_min(torch.finfo(share.dtype).tiny).log()
    return _nan_if_zero((-(share * log_share).sum(dim=-1)).exp(), relative)


def _participation_ratio(relative: Float[Tensor, "*batch value"]) -> Float[Tensor, "*batch"]:
    squares = relative.square()
    return _nan_if_zero(squares.sum(dim=-1).square() / squares.square().sum(dim=-1), relative)


def _information_abundance(relative: Float[Tensor, "*batch value"]) -> Float[Tensor, "*batch"]:
    return _nan_if_zero(relative.sum(dim=-1), relative)


def _numerical_rank(relative: Float[Tensor, "*batch value"], tolerance: float) -> Float[Tensor, "*batch"]:
    count = (relative > tolerance).sum(dim=-1).to(relative.dtype)
    return torch.where(relative[..., 0].isnan(), torch.nan, count)


def _nan_if_zero(measured: Float[Tensor, "*batch"], relative: Float[Tensor, "*batch value"]) -> Float[Tensor, "*batch"]:
    return torch.where(relative[..., 0] == 0, torch.nan, measured)


@dataclass(frozen=True)
class Measure:
    """Name, title, formula and source of a measure, and its function of relative singular values.

    ``compute`` also takes the tolerance, which only the numerical rank uses.
    """

    name: MeasureName
    title: str
    formula: str
    source: str
    compute: Callable[[Float[Tensor, "*batch value"], float], Float[Tensor, "*batch"]]


MEASURES: dict[MeasureName, Measure] = {
    measure.name: measure
    for measure in (
        Measure(
            "stable_rank",
            "stable rank",
            "sum s^2 / s_1^2",
            "RankElastor paper, arXiv 2605.23191, eq. 1",
            lambda relative, _: _stable_rank(relative),
        ),
        Measure(
            "entropy_effective_rank",
            "entropy effective rank",
            "exp(-sum p log p), p = s / sum s",
            "Roy and Vetterli 2007",
            lambda relative, _: _entropy_effective_rank(relative),
        ),
        Measure(
            "participation_ratio",
            "participation ratio",
            "(sum s^2)^2 / sum s^4",
            "the inverse Simpson index of the squared singular values",
            lambda relative, _: _participation_ratio(relative),
        ),
        Measure(
            "information_abundance",
            "information abundance",
            "sum s / s_1",
            "Guo et al. 2023, arXiv 2310.04400",
            lambda relative, _: _information_abundance(relative),
        ),
        Measure(
            "numerical_rank",
            "numerical rank",
            "count of s > tolerance * s_1",
            "Golub and Van Loan; NumPy's matrix_rank for the tolerance",
            _numerical_rank,
        ),
    )
}
"""Every measure by name, in the order in which tables and menus show them."""


def find_measure(name: str) -> Measure:
    """Look up the measure of the given name.

    Raises:
        SettingsError: If the name is unknown; the message lists the known names.

    Example:
        >>> find_measure("stable_rank").formula
        'sum s^2 / s_1^2'
    """
    for measure in MEASURES.values():
        if measure.name == name:
            return measure
    raise SettingsError(f"a measure must be one of {', '.join(MEASURES)}, but {name!r} was given")


def all_measures(
    matrix: Float[Tensor, "*batch row column"],
    *,
    method: SpectrumMethod = "exact",
    names: Sequence[str] = tuple(MEASURES),
) -> dict[str, Float[Tensor, "*batch"]]:
    """Compute the named measures of each matrix, by default all five, from one computation of the singular values.

    Example:
        >>> {name: round(float(value), 3) for name, value in all_measures(torch.eye(2, 3)).items()}
        ... # doctest: +NORMALIZE_WHITESPACE
        {'stable_rank': 2.0, 'entropy_effective_rank': 2.0, 'participation_ratio': 2.0,
         'information_abundance': 2.0, 'numerical_rank': 2.0}
    """
    chosen = [find_measure(name) for name in names]
    tolerance = default_tolerance(matrix, method=method)
    relative = relative_singular_values(matrix, method=method)
    return {measure.name: measure.compute(relative, tolerance) for measure in chosen}

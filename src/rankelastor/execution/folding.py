"""Whether a linear map is multiplied into the maps before it."""

from rankelastor.nn.per_token import PerTokenLinear


def folding_pays(rows: int, reduce: PerTokenLinear, then: PerTokenLinear) -> bool:
    """Tell whether multiplying W3 and S1 of a gate by ``then`` saves more multiply-adds over the rows than it takes.

    Args:
        rows: number of examples.
        reduce: the map W3 (inner x dim) of each token; S1 is (dim x dim).
        then: the map after the gate (dim x out).

    Example:
        >>> reduce, then = (
        ...     PerTokenLinear(num_tokens=2, in_dim=width, out_dims=[out]) for width, out in ((12, 4), (4, 4))
        ... )
        >>> folding_pays(10, reduce, then), folding_pays(1000, reduce, then)
        (False, True)
    """
    inner_dim, dim = reduce.weight.shape[1:]
    out_dim = then.weight.shape[2]
    saved = rows * ((inner_dim + dim + out_dim) * dim - (inner_dim + dim) * out_dim)
    return saved > (inner_dim + dim) * dim * out_dim

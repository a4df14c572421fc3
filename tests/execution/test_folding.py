"""A map is multiplied into the ones before it where that takes fewer multiply-adds, which are counted by hand."""

from rankelastor.execution.folding import folding_pays
from rankelastor.nn.per_token import PerTokenLinear


def maps(inner: int, dim: int, out: int) -> tuple[PerTokenLinear, PerTokenLinear]:
    return (
        PerTokenLinear(num_tokens=1, in_dim=inner, out_dims=[dim]),
        PerTokenLinear(num_tokens=1, in_dim=dim, out_dims=[out]),
    )


def test_a_narrowing_map_pays_from_as_many_rows_on_as_the_weights_cost() -> None:
    """Apart 3 * 2 + 2 * 2 + 2 * 1 = 12 for each row, folded 3 * 1 + 2 * 1 = 5, and 3 * 2 * 1 + 2 * 2 * 1 = 10 once."""
    assert [folding_pays(rows, *maps(3, 2, 1)) for rows in (1, 2)] == [False, True]


def test_a_widening_map_never_pays() -> None:
    """Apart 3 * 2 + 2 * 2 + 2 * 9 = 28 for each row, folded 3 * 9 + 2 * 9 = 45."""
    assert not folding_pays(10**6, *maps(3, 2, 9))

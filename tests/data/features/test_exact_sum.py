import math
import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.features.exact_sum import ExactSum

FLOATS = st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e200, max_value=1e200))


def exact_sum(*pieces: list[float]) -> float:
    total = ExactSum()
    for piece in pieces:
        total.add(np.array(piece, dtype=np.float64))
    return total.value


@given(FLOATS)
def test_the_sum_is_rounded_once(numbers: list[float]) -> None:
    assert exact_sum(numbers) == math.fsum(numbers)


@given(FLOATS, st.integers(0, 10), st.randoms())
def test_order_and_pieces_do_not_matter(numbers: list[float], cut: int, rng: random.Random) -> None:
    shuffled = rng.sample(numbers, len(numbers))
    assert exact_sum(shuffled[:cut], shuffled[cut:]) == exact_sum(numbers)


def test_many_numbers_of_one_size_do_not_round() -> None:
    numbers = np.full(3 << 20, 2.0**53 - 1)
    total = ExactSum()
    total.add(numbers)
    assert total.exact == (3 << 20) * (2**53 - 1)

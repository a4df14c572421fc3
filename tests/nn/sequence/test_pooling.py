import torch
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.nn.sequence.pooling import masked_mean

IDS = st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=5)


@given(IDS)
def test_the_mean_is_that_of_a_loop_over_elements(ids: list[list[int]]) -> None:
    table = torch.arange(10.0).view(5, 2) ** 2
    table[0] = 0
    pooled = masked_mean(table[torch.tensor(ids)], torch.tensor(ids) != 0)
    for row, elements in zip(pooled, ids, strict=True):
        known = [table[element] for element in elements if element]
        expected = sum(known, torch.zeros(2)) / max(len(known), 1)
        assert torch.allclose(row, expected)

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import layer_norm

from rankelastor.nn.mixing.split import SplitMixing, swap_parts


@given(st.integers(1, 5), st.integers(1, 4))
def test_swapping_parts_is_a_permutation_and_its_own_inverse(num_tokens: int, part_dim: int) -> None:
    dim = num_tokens * part_dim
    tokens = torch.arange(float(num_tokens * dim)).view(1, num_tokens, dim)
    swapped = swap_parts(tokens)
    assert sorted(swapped.flatten().tolist()) == tokens.flatten().tolist()
    assert torch.equal(swap_parts(swapped), tokens)


def test_split_mixing_by_hand() -> None:
    tokens = torch.tensor([[[1.0, 2.0], [3.0, 5.0]]])  # swapped: [1, 3], [2, 5]
    expected = layer_norm(torch.tensor([[[2.0, 5.0], [5.0, 10.0]]]), (2,))
    assert torch.allclose(SplitMixing(num_tokens=2, token_dim=2)(tokens), expected)


def test_split_mixing_needs_tokens_that_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"num_tokens must divide token_dim = 8 .*3 was given; try one of 1, 2, 4, 8"):
        SplitMixing(num_tokens=3, token_dim=8)

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nn.gradients import require_exact_gradients
from torch import nn

from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.nn.mixing.heads import RevertedHeadMixing, SwappedParts, revert_heads, split_heads
from rankelastor.nn.mixing.split import swap_parts
from rankelastor.nn.sizes import SizesDoNotFit


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3))
def test_reverting_restores_the_tokens_exactly(num_tokens: int, num_heads: int, part: int, batch: int) -> None:
    tokens = torch.randn(batch, num_tokens, num_heads * part)
    heads = split_heads(tokens, num_heads)
    assert heads.shape == (batch, num_heads, num_tokens * part)
    assert torch.equal(revert_heads(heads, num_tokens), tokens)


def test_a_head_holds_its_part_of_every_token_in_order() -> None:
    tokens = torch.arange(12.0).view(1, 3, 4)
    assert split_heads(tokens, 2).tolist() == [[[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]]


def test_with_as_many_heads_as_tokens_splitting_is_split_mixing() -> None:
    tokens = torch.randn(2, 3, 6)
    assert torch.equal(split_heads(tokens, 3), swap_parts(tokens))
    assert torch.equal(SwappedParts(num_tokens=3, token_dim=6)(tokens), swap_parts(tokens))


def test_without_an_ffn_the_mixing_adds_the_normalised_heads_in_their_old_places() -> None:
    mixing = RevertedHeadMixing(num_tokens=2, token_dim=2, num_heads=2, ffn=nn.Identity())
    tokens = torch.tensor([[[3.0, 0.0], [4.0, 2.0]]])  # heads (3, 4) of mean square 12.5 and (0, 2) of 2
    expected = [[[3 + 3 / 12.5**0.5, 0.0], [4 + 4 / 12.5**0.5, 2 + 2 / 2**0.5]]]
    torch.testing.assert_close(mixing(tokens), torch.tensor(expected))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(
        SizesDoNotFit, match=r"num_heads must divide token_dim = 6 .*, but 4 was given; try one of 1, 2"
    ):
        RevertedHeadMixing(num_tokens=2, token_dim=6, num_heads=4, ffn=nn.Identity())
    with pytest.raises(SizesDoNotFit, match="num_tokens must divide token_dim = 6"):
        SwappedParts(num_tokens=4, token_dim=6)


def test_gradients_of_mixing_in_heads_are_exact() -> None:
    ffn = PerTokenSwiGlu(num_tokens=2, token_dim=6, hidden_dim=2)
    mixing = RevertedHeadMixing(num_tokens=3, token_dim=4, num_heads=2, ffn=ffn).double()
    require_exact_gradients(mixing, torch.randn(2, 3, 4, dtype=torch.float64))

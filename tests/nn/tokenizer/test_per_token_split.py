from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.nn.gradients import require_exact_gradients
from torch import nn

from rankelastor.nn.sizes import SizesDoNotFit
from rankelastor.nn.tokenizer.per_token_split import PerTokenSplitTokenizer


def made(**changes: Any) -> PerTokenSplitTokenizer:
    sizes: dict[str, Any] = {
        "num_fields": 3,
        "field_names": ["a", "b", "c"],
        "embedding_dim": 2,
        "num_tokens": 2,
        "token_dim": 1,
    }
    return PerTokenSplitTokenizer(**sizes | changes)


def test_each_slice_has_its_own_map_by_hand() -> None:
    tokenizer = made(norm=False)
    tokenizer.maps.weight.data = torch.tensor([[[1.0], [10.0], [100.0]], [[2.0], [20.0], [200.0]]])
    tokenizer.maps.bias.data = torch.tensor([[0.5], [0.0]])
    fields = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    assert tokenizer(fields).tolist() == [[[321.5], [2 * 4 + 20 * 5 + 200 * 6]]]


def test_fields_are_cut_in_the_given_order() -> None:
    plain, ordered = made(), made(field_order=["c", "a", "b"])
    ordered.load_state_dict(plain.state_dict())
    fields = torch.randn(4, 3, 2)
    torch.testing.assert_close(ordered(fields), plain(fields[:, [2, 0, 1]]))


def test_a_rest_is_padded_with_zeros() -> None:
    tokenizer = made(num_tokens=4, num_fields=5, field_names=list("abcde"), norm=False)  # 10 in 4 slices of 3
    assert tokenizer.padding == 2
    fields = torch.randn(2, 5, 2)
    last = fields[:, 4, 1:] * tokenizer.maps.weight[3, 0] + tokenizer.maps.bias[3]
    torch.testing.assert_close(tokenizer(fields)[:, 3], last)


def test_a_slice_of_padding_alone_does_not_fit() -> None:
    with pytest.raises(
        SizesDoNotFit, match=r"num_tokens must leave no slice empty .* but 4 was given; try num_tokens=3"
    ):
        made(num_tokens=4)


def test_norm_is_the_paper_s_form_without_it() -> None:
    assert isinstance(made(norm=False).norm, nn.Identity)


@pytest.mark.parametrize("order", [["a", "b"], ["a", "b", "d"], ["a", "b", "b"]])
def test_the_order_must_hold_every_field_once(order: list[str]) -> None:
    with pytest.raises(SizesDoNotFit, match=r"tokenizer\.field_order must hold every field once, but does not for"):
        made(field_order=order)


def test_gradients_are_exact() -> None:
    require_exact_gradients(made().double(), torch.randn(2, 3, 2, dtype=torch.float64))


@pytest.mark.parametrize("num_fields", [2, 4])
def test_more_or_fewer_fields_than_it_was_made_for_are_refused(num_fields: int) -> None:
    with pytest.raises(AssertionError, match="as many fields as the tokenizer was made for"):
        made()(torch.randn(1, num_fields, 2))

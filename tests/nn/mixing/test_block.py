from functools import partial

import pytest
import torch
from tests.nn.gradients import require_exact_gradients
from torch.nn.functional import rms_norm

from rankelastor.nn.mixing.block import BlockMixing
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.sinkhorn import DoublyStochasticMatrix


def test_block_mixing_by_hand() -> None:
    mixing = BlockMixing(num_tokens=2, token_dim=2, block_dim=2)
    with torch.no_grad():
        mixing.local_maps.weight.copy_(torch.tensor([[[1.0, 2.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]))
        mixing.local_maps.bias.copy_(torch.tensor([[0.0, 0.0], [10.0, 0.0]]))
        mixing.global_map.get_parameter("weight").copy_(torch.tensor([[1.0, 1.0], [0.0, 2.0]]))
    tokens = torch.tensor([[[1.0, -1.0], [1.0, 1.0]]])  # their root mean square is 1: the norm changes nothing
    # local: (1, -1) -> (1, 2 - 1) = (1, 1); (1, 1) -> (1, 1) + (10, 0) = (11, 1)
    # across: first + second = (12, 2), twice the second = (22, 2); then the residual
    assert mixing(tokens).tolist() == [[[13.0, 1.0], [23.0, 3.0]]]


@pytest.mark.parametrize("global_map", ["plain", "sinkhorn"])
def test_one_block_of_all_coordinates_is_full_mixing(global_map: str) -> None:
    full = FullMixing(num_tokens=3, token_dim=4)
    if global_map == "plain":
        block = BlockMixing(num_tokens=3, token_dim=4, block_dim=12)
        torch.nn.init.ones_(block.global_map.get_parameter("weight"))
    else:
        block = BlockMixing(num_tokens=3, token_dim=4, block_dim=12, global_map=DoublyStochasticMatrix)
    torch.nn.init.normal_(full.linear.bias)
    with torch.no_grad():
        block.local_maps.weight.copy_(full.linear.weight.T)
        block.local_maps.bias.copy_(full.linear.bias)
    tokens = torch.randn(5, 3, 4)
    torch.testing.assert_close(block(tokens), full(tokens))


@pytest.mark.parametrize("block_dim", [1, 3, 8, 12])
def test_block_mixing_is_its_naive_loop(block_dim: int) -> None:
    mixing = BlockMixing(num_tokens=4, token_dim=6, block_dim=block_dim, global_map=DoublyStochasticMatrix)
    tokens = torch.randn(5, 4, 6)
    blocks = rms_norm(tokens.flatten(1), (24,), eps=1e-12).split(block_dim, dim=1)
    local = [
        block @ weight + bias
        for block, weight, bias in zip(blocks, mixing.local_maps.weight, mixing.local_maps.bias, strict=True)
    ]
    across = mixing.global_map()
    mixed = [sum(across[i, j] * local[j] for j in range(len(local))) for i in range(len(local))]
    torch.testing.assert_close(mixing(tokens), tokens + torch.cat(mixed, dim=1).view(5, 4, 6))


@pytest.mark.parametrize("sinkhorn", [False, True], ids=["plain", "sinkhorn"])
def test_gradients_are_exact(sinkhorn: bool) -> None:
    torch.manual_seed(0)
    made = {"global_map": DoublyStochasticMatrix} if sinkhorn else {}
    mixing = BlockMixing(num_tokens=2, token_dim=3, block_dim=2, **made).double()
    require_exact_gradients(mixing, torch.randn(2, 2, 3, dtype=torch.float64))


def test_a_width_that_does_not_divide_is_named_with_widths_that_do() -> None:
    with pytest.raises(
        ValueError,
        match=r"mixing\.block_dim must divide num_tokens \* token_dim = 24 for block mixing, but 5 was given; "
        r"try one of 1, 2, 3, 4, 6, 8, 12, 24",
    ):
        BlockMixing(num_tokens=4, token_dim=6, block_dim=5)


def test_it_has_the_weights_that_its_formula_says() -> None:
    mixing = BlockMixing(num_tokens=4, token_dim=6, block_dim=8, global_map=partial(DoublyStochasticMatrix))
    num_weights = sum(parameter.numel() for parameter in mixing.parameters())
    assert num_weights == 24 * 8 + 3 * 3 + 24 + 24  # local maps, global map, bias, gain of the norm


def test_bf16_goes_through_with_gradients_in_fp32() -> None:
    mixing = BlockMixing(num_tokens=4, token_dim=6, block_dim=8, global_map=DoublyStochasticMatrix)
    tokens = torch.randn(5, 4, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = mixing(tokens)
    torch.testing.assert_close(mixed.float(), mixing(tokens), atol=0.05, rtol=0.05)
    mixed.float().square().sum().backward()
    assert all(parameter.grad is not None for parameter in mixing.parameters())

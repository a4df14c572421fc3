from __future__ import annotations

import pytest
import torch
from torch import nn

from rankelastor.nn.mixing.block import BlockMixing
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.identity import IdentityMixing
from rankelastor.nn.mixing.kronecker import KroneckerMixing
from rankelastor.nn.mixing.low_rank import LowRankMixing
from rankelastor.nn.mixing.sinkhorn import DoublyStochasticMatrix
from rankelastor.nn.mixing.split import SplitMixing
from rankelastor.spectrum.runs.mixing_map import mixing_map


def test_full_mixing_by_hand() -> None:
    mixing = FullMixing(num_tokens=2, token_dim=2)
    with torch.no_grad():
        mixing.linear.weight.copy_(torch.tensor([[0, 0, 3, 0], [0, 0, 0, 4], [0, 0, 0, 0], [0, 0, 0, 0]]))
    found = mixing_map(mixing, point="block0.mixing", token_dim=2)
    assert found is not None
    assert found.norms_of_weight == ((0.0, 5.0), (0.0, 0.0))  # the block from token 2 to token 1 is (3, 4)
    torch.testing.assert_close(torch.tensor(found.norms), torch.tensor([[2**0.5, 5.0], [0.0, 2**0.5]]))
    assert found.matrix == "W + I of block0.mixing (4 x 4)"


def test_a_kronecker_map_is_what_the_mixing_does() -> None:
    torch.manual_seed(0)
    mixing = KroneckerMixing(num_tokens=4, token_dim=3, num_groups=2, norm="post")
    mixing.post_norm = nn.Identity()
    columns = mixing(torch.eye(12).view(12, 4, 3)).detach().flatten(1).mT  # column j is the image of unit vector j
    found = mixing_map(mixing, point="mixing", token_dim=3)
    assert found is not None
    expected = columns.view(4, 3, 4, 3).square().sum(dim=(1, 3)).sqrt()
    torch.testing.assert_close(torch.tensor(found.norms), expected)
    assert found.norms[0][2] == 0.0  # tokens 1 and 3 are in different groups


@pytest.mark.parametrize("kind", ["low rank", "block", "doubly stochastic block"])
def test_a_map_of_a_cheaper_mixing_is_what_the_mixing_does(kind: str) -> None:
    torch.manual_seed(0)
    mixing: LowRankMixing | BlockMixing
    match kind:
        case "low rank":
            mixing = LowRankMixing(num_tokens=4, token_dim=3, rank=2)
        case "block":
            mixing = BlockMixing(num_tokens=4, token_dim=3, block_dim=2)
        case _:
            mixing = BlockMixing(num_tokens=4, token_dim=3, block_dim=4, global_map=DoublyStochasticMatrix)
    mixing.norm = nn.Identity()  # type: ignore[assignment]
    columns = mixing(torch.eye(12).view(12, 4, 3)).detach().flatten(1).mT
    found = mixing_map(mixing, point="mixing", token_dim=3)
    assert found is not None
    torch.testing.assert_close(torch.tensor(found.norms), columns.view(4, 3, 4, 3).square().sum(dim=(1, 3)).sqrt())


def test_mixings_without_a_matrix_have_no_map() -> None:
    for mixing in (SplitMixing(num_tokens=2, token_dim=4), IdentityMixing()):
        assert mixing_map(mixing, point="mixing", token_dim=4) is None

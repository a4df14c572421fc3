"""Initial rows that are drawn piece by piece."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rankelastor.nn.embedding.rows_elsewhere import draw_in_pieces
from rankelastor.nn.own_draws import OwnDraws


@pytest.mark.parametrize("num_rows", [1, 5, 16, 31, 100, 1000, 1001, 1007])
@pytest.mark.parametrize("dim", [1, 3, 8, 10])
def test_pieces_are_the_numbers_of_the_whole(num_rows: int, dim: int) -> None:
    mine, whole = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    with OwnDraws(mine):
        pieces = list(draw_in_pieces(num_rows, dim, std=0.5, piece=400))
    with OwnDraws(whole):
        wanted = nn.init.normal_(torch.empty(num_rows, dim), std=0.5)
    assert torch.equal(torch.cat([rows for _, rows in pieces]), wanted)
    assert [first for first, _ in pieces] == [
        sum(len(rows) for _, rows in pieces[:place]) for place in range(len(pieces))
    ]
    assert torch.equal(mine.get_state(), whole.get_state())

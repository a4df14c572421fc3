"""Residuals and losses across the blocks of TokenMixer-Large; test_references.py holds its logits against loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.models.every_model import small
from tests.models.test_build import BATCH, SCHEMA
from torch import nn

from rankelastor.errors import SettingsError
from rankelastor.models.build import build_ranker
from rankelastor.models.tokenmixer_large import TokenMixerLargeNetwork
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy


class Doubled(nn.Module):
    """A block that doubles its input, so that sums can be followed by hand."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return 2 * tokens


@pytest.mark.parametrize(
    ("skip", "last"),
    # states from 1: without 1 2 4 8 16; skip 1: 1, 2 + 1, 6 + 3, 18 + 9, 54; skip 2: 1, 2, 4 + 1, 10 + 2, 24
    [(None, 16.0), (1, 54.0), (2, 24.0), (3, 18.0)],
)
def test_residuals_across_blocks_never_go_into_the_last(skip: int | None, last: float) -> None:
    class Sum(nn.Module):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return tokens.sum((1, 2)).unsqueeze(1)

    blocks: list[Any] = [Doubled() for _ in range(4)]
    network = TokenMixerLargeNetwork(
        tokenizer=nn.Identity(), blocks=blocks, auxiliary=[], head=Sum(), skip=skip, part_weight=0.0
    )
    assert network(Embedded(torch.ones(1, 1, 1))).tolist() == [[last]]


def test_while_training_every_inner_block_has_logits_that_learn_from_the_labels() -> None:
    ranker = build_ranker(small("tokenmixer_large", auxiliary_weight=0.25), SCHEMA)
    batch = replace(BATCH, labels=torch.tensor([[1.0], [0.0], [1.0]]))
    logits = ranker(batch)
    assert logits.shape == (3, 1, 3)
    assert ranker.eval()(batch).shape == (3, 1)
    plain = BinaryCrossEntropy()
    losses = [plain(logits[..., part], batch, total=3.0) for part in range(3)]
    objective = BinaryCrossEntropy(parts_learn_from=ranker.parts_learn_from, part_weight=ranker.part_weight)
    torch.testing.assert_close(objective(logits, batch, total=3.0), losses[0] + 0.25 * (losses[1] + losses[2]))


def test_without_auxiliary_losses_there_are_no_maps_for_them() -> None:
    names = dict(build_ranker(small("tokenmixer_large-bare"), SCHEMA).named_parameters())
    assert not any("auxiliary" in name for name in names)


def test_the_last_maps_start_at_a_hundredth_so_that_a_block_is_about_its_input() -> None:
    torch.manual_seed(0)
    network = small("tokenmixer_large").network(SCHEMA)
    swiglus = [module for module in network.modules() if isinstance(module, PerTokenSwiGlu)]
    assert len(swiglus) == 6
    assert all(float(layer.down.weight.detach().std()) < 0.02 for layer in swiglus)
    assert isinstance(network, TokenMixerLargeNetwork)
    tokens = torch.randn(5, 3, 4)
    torch.testing.assert_close(network.blocks[0](tokens), tokens, atol=0.1, rtol=0)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(SettingsError, match=r"model\.num_heads must divide token_dim = 4"):
        build_ranker(small("tokenmixer_large", num_heads=3), SCHEMA)

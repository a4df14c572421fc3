"""Initial values come from a generator of one's own, the same as from PyTorch's after the same seed."""

from __future__ import annotations

import pytest
import torch
from tests.models.every_model import VARIANTS, small
from tests.models.test_build import SCHEMA
from torch import nn

from rankelastor.models.build import build_ranker
from rankelastor.nn.own_draws import OwnDraws
from rankelastor.nn.random_bytes import draw_seed


@pytest.mark.parametrize("name", VARIANTS)
def test_every_model_has_the_values_that_the_global_generator_gives(name: str) -> None:
    torch.manual_seed(3)
    expected = build_ranker(small(name), SCHEMA).state_dict()
    drawn_next = draw_seed()
    before = torch.get_rng_state()
    generator = torch.Generator().manual_seed(3)
    with OwnDraws(generator):
        values = build_ranker(small(name), SCHEMA).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(values[key], tensor) for key, tensor in expected.items())
    assert draw_seed(generator) == drawn_next


@pytest.mark.parametrize(
    "draw",
    [
        lambda: torch.rand(3),
        lambda: torch.randn(3),
        lambda: torch.randint(9, (3,)),
        lambda: torch.randperm(9),
        lambda: torch.normal(torch.zeros(3), 1.0),
        lambda: torch.bernoulli(torch.full((3,), 0.5)),
        lambda: torch.multinomial(torch.ones(9), 3),
        lambda: torch.zeros(3).uniform_(),
        lambda: torch.zeros(3).exponential_(),
        lambda: nn.init.orthogonal_(torch.zeros(3, 3)),
        lambda: nn.init.trunc_normal_(torch.zeros(3)),
        lambda: nn.init.sparse_(torch.zeros(3, 3), 0.5),
        lambda: nn.Embedding(3, 3).weight.data,
        lambda: nn.GRU(3, 3).weight_ih_l0.data,
        lambda: nn.MultiheadAttention(4, 2).in_proj_weight.data,
    ],
)
def test_whatever_draws_takes_the_own_generator(draw) -> None:  # type: ignore[no-untyped-def] # a function of a lambda
    before = torch.get_rng_state()
    with OwnDraws(torch.Generator().manual_seed(3)):
        first = draw()
    with OwnDraws(torch.Generator().manual_seed(3)):
        second = draw()
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_generator_that_is_given_is_kept() -> None:
    with OwnDraws(torch.Generator().manual_seed(3)):
        drawn = torch.rand(3, generator=torch.Generator().manual_seed(4))
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(4)))

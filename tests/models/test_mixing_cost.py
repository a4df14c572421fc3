from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.test_build import SCHEMA
from tests.models.test_build import settings as ranker_settings

from rankelastor.models.build import build_ranker
from rankelastor.models.mixer import MixerSettings
from rankelastor.models.mixing_cost import cheaper_mixings, divisor_near_root, mixing_cost

WIDE: dict[str, Any] = {
    "num_tokens": 12, "token_dim": 12, "tokenizer": {"kind": "joint"}, "head": {"kind": "mean"}, "num_blocks": 2,
    "ffn": {"kind": "mlp", "hidden_dims": [2]},
}  # fmt: skip


def settings(**changes: Any) -> MixerSettings:
    made = ranker_settings(**changes)
    assert isinstance(made, MixerSettings)
    return made


def test_the_cost_of_full_mixing_by_hand() -> None:
    cost = mixing_cost(settings(**WIDE), SCHEMA)
    assert cost.parameters == 2 * (144 * 144 + 144 + 144)  # two blocks: weights, bias, gain
    assert cost.flops_per_example == 2 * 2 * 144 * 144
    assert cost.dominates


@pytest.mark.parametrize(
    ("mixing", "multiply_adds"),
    [
        ({"kind": "kronecker", "num_groups": 4}, 144 * 144 // 4),
        ({"kind": "low_rank", "rank": 5}, 2 * 144 * 5),
        ({"kind": "block", "block_dim": 8}, 144 * 8 + 144 * 144 // 8),
        ({"kind": "identity"}, 0),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_the_flops_of_the_cheaper_mixings_are_what_their_formulas_say(
    mixing: dict[str, Any], multiply_adds: int
) -> None:
    cost = mixing_cost(settings(**WIDE, mixing=mixing), SCHEMA)
    assert cost.flops_per_example == 2 * 2 * multiply_adds


def test_where_full_mixing_dominates_three_cheaper_ones_are_named_and_can_be_built() -> None:
    named = cheaper_mixings(settings(**WIDE), SCHEMA)
    assert [cost.mixing.kind for cost in named] == ["kronecker", "low_rank", "block"]
    full = mixing_cost(settings(**WIDE), SCHEMA)
    for cost in named:
        assert cost.flops_per_example < full.flops_per_example
        assert cost.parameters < full.parameters
        build_ranker(settings(**WIDE, mixing=cost.mixing.model_dump()), SCHEMA)


@pytest.mark.parametrize(
    "changes",
    [
        {"mixing": {"kind": "split"}},
        {"mixing": {"kind": "low_rank", "rank": 144}},
        {"ffn": {"kind": "mlp", "hidden_dims": [400]}},
    ],
    ids=["split", "low rank", "a wide FFN"],
)
def test_nothing_is_named_where_full_mixing_does_not_dominate(changes: dict[str, Any]) -> None:
    assert cheaper_mixings(settings(**WIDE | changes), SCHEMA) == ()


@given(st.integers(1, 2000))
def test_the_divisor_near_the_root_is_the_nearest_by_ratio(size: int) -> None:
    def distance(divisor: int) -> float:
        return max(divisor**2 / size, size / divisor**2)

    nearest = min(distance(divisor) for divisor in range(1, size + 1) if size % divisor == 0)
    assert size % divisor_near_root(size) == 0
    assert distance(divisor_near_root(size)) == pytest.approx(nearest)

"""What settings of several processes are refused."""

from __future__ import annotations

import pytest

from rankelastor.errors import SettingsError
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe

SHARDED = {"training.distributed.embedding": "sharded"}
ADAGRAD = {"training.optimiser.embedding_rule": "rowwise_adagrad"}


def test_sharded_rows_are_updated_by_adagrad_and_by_no_other_rule(recipe: Recipe) -> None:
    other = (
        r"embedding_rule must be rowwise_adagrad with distributed.embedding=sharded, but adam was given: .* try "
        r"optimiser.embedding_rule=rowwise_adagrad with optimiser.embedding_learning_rate=0.02"
    )
    with pytest.raises(SettingsError, match=other):
        with_overrides(recipe, SHARDED)
    assert with_overrides(recipe, SHARDED | ADAGRAD).training.distributed.is_sharded


def test_sharded_rows_have_no_averages(recipe: Recipe) -> None:
    with pytest.raises(SettingsError, match=r"averaged_weights must be null .* but a decay of 0.9 was given"):
        with_overrides(recipe, SHARDED | ADAGRAD | {"training.averaged_weights": {"decay": 0.9}})


def test_a_plan_is_for_sharded_rows(recipe: Recipe) -> None:
    with pytest.raises(SettingsError, match=r"plan must be left out with embedding=replicated, but row_wise was given"):
        with_overrides(recipe, {"training.distributed.plan": "row_wise"})

"""Sizes and tokens of RankUp; tests/models/test_references.py holds its logits against loops."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.models.every_model import small
from tests.models.test_build import BATCH, SCHEMA

from rankelastor.errors import SettingsError
from rankelastor.models.build import build_ranker
from rankelastor.models.rankup import RankUpNetwork


def test_the_tables_stand_side_by_side_with_the_global_token_s_own_behind_them() -> None:
    assert build_ranker(small("rankup"), SCHEMA).embedding.table.shape[1] == 3 * 4
    assert build_ranker(small("rankup-bare"), SCHEMA).embedding.table.shape[1] == 2 * 4


def test_every_task_has_a_token_and_a_tower_of_its_own() -> None:
    torch.manual_seed(0)
    ranker = build_ranker(small("rankup"), replace(SCHEMA, tasks=("click", "like")))
    before = ranker(BATCH)
    with torch.no_grad():
        ranker.network.towers[1].out.bias.add_(1.0)  # type: ignore[index, union-attr]
    torch.testing.assert_close(ranker(BATCH) - before, torch.tensor([[0.0, 1.0]]).expand(3, 2))


def test_a_network_that_tasks_share_has_one_learned_token_however_many_outputs() -> None:
    settings = small("rankup", tasks={"kind": "shared_bottom", "width": 6})
    ranker = build_ranker(settings, replace(SCHEMA, tasks=("click", "like")))
    bottom = ranker.network.network
    assert isinstance(bottom, RankUpNetwork)
    tokens = bottom.tokenizer(ranker.embedding(BATCH).fields)
    assert tokens.shape == (3, 4, 12)
    assert bottom.tokenizer.tasks.shape == (1, 12)
    assert [tower.out.out_features for tower in bottom.towers] == [6]  # type: ignore[union-attr]


def test_the_extra_tokens_must_leave_a_group_of_fields() -> None:
    with pytest.raises(
        SettingsError, match=r"num_tokens must exceed the 2 tokens .* but 2 was given; try num_tokens=3"
    ):
        build_ranker(small("rankup", num_tokens=2), SCHEMA)


@pytest.mark.parametrize("names", [["sight", "user"], ["user"], ["site", "user", "age"]])
def test_two_fields_that_exist_are_crossed(names: list[str]) -> None:
    with pytest.raises(
        SettingsError, match=r"model\.crossed must name two of the fields site, price, user, age, but \["
    ):
        build_ranker(small("rankup", crossed=names), SCHEMA)

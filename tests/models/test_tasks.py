"""What holds for every model under every sharing of tasks, and what the settings refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.models.every_model import KINDS, small
from tests.models.test_build import BATCH, SCHEMA
from torch.utils.flop_counter import FlopCounterMode

from rankelastor.errors import SettingsError
from rankelastor.models.build import build_ranker
from rankelastor.models.cost import cost_of
from rankelastor.recipes.load import recipe_from_values

TASKS = replace(SCHEMA, tasks=("click", "buy"))
SHARINGS: dict[str, dict[str, Any]] = {
    "shared_bottom": {"kind": "shared_bottom", "width": 6, "tower_dims": [5]},
    "mmoe": {"kind": "mmoe", "width": 6, "num_experts": 3, "after": {"buy": "click"}},
    "ple": {"kind": "ple", "width": 6, "num_layers": 2},
    "esmm": {"kind": "esmm", "after": {"buy": "click"}},
}


@pytest.mark.parametrize("sharing", SHARINGS)
@pytest.mark.parametrize("name", KINDS)
def test_every_model_has_a_logit_per_task_and_learns_everywhere(name: str, sharing: str) -> None:
    settings = small(name, tasks=SHARINGS[sharing])
    torch.manual_seed(0)
    ranker = build_ranker(settings, TASKS)
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    logits = ranker(BATCH)
    assert logits.shape == (3, 2)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in ranker.parameters())
    ranker.eval()
    torch.testing.assert_close(torch.cat([ranker(part) for part in BATCH.split(1)]), ranker(BATCH))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        ranker(next(BATCH.split(1)))
    assert cost_of(settings, TASKS).flops_per_example == counter.get_total_flops()


def test_the_points_of_experts_are_told_apart() -> None:
    ranker = build_ranker(small("rankelastor", tasks=SHARINGS["mmoe"]), TASKS)
    assert list(ranker.points)[:3] == ["expert0.fields", "expert0.tokens", "expert0.block0.mixing"]


def test_a_task_that_follows_another_has_the_product() -> None:
    ranker = build_ranker(small("mlp", tasks=SHARINGS["esmm"]), TASKS).eval()
    click, buy = (network(ranker.embedding(BATCH)) for network in ranker.network.network.networks)  # type: ignore[union-attr]
    both = torch.sigmoid(ranker(BATCH))
    torch.testing.assert_close(both[:, :1], torch.sigmoid(click))
    torch.testing.assert_close(both[:, 1:], torch.sigmoid(click) * torch.sigmoid(buy))


@pytest.mark.parametrize(
    ("tasks", "labels", "message"),
    [
        ({"kind": "mmoe"}, ["click"], r"model\.tasks needs several labels, but the data have one, click"),
        ({"kind": "esmm"}, ["click", "buy"], r"after must name which task follows which, but is empty"),
        ({"kind": "esmm", "after": {"pay": "click"}}, ["click", "buy"],
         r"model\.tasks\.after must name tasks of \['click', 'buy'\], but 'pay' was given; add a label"),
        ({"kind": "ple", "after": {"buy": "click", "click": "buy"}}, ["click", "buy"], r"leads to itself"),
    ],
)  # fmt: skip
def test_a_sharing_that_does_not_fit_the_labels_is_refused_before_data_are_read(
    tasks: dict[str, Any], labels: list[str], message: str, recipe_values: dict[str, Any]
) -> None:
    data = {key: value for key, value in recipe_values["data"].items() if key != "label"} | {
        "labels": {label: label for label in labels}
    }
    model = recipe_values["model"] | {"tasks": tasks}
    with pytest.raises(SettingsError, match=message):
        recipe_from_values(recipe_values | {"data": data, "model": model})

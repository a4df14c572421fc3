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
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.recipes.load import recipe_from_values
from rankelastor.schema import CategoricalFeature, FeatureSchema

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
    assert logits.shape[:2] == (3, 2)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in ranker.parameters())
    ranker.eval()
    assert ranker(BATCH).shape == (3, 2)
    torch.testing.assert_close(torch.cat([ranker(part) for part in BATCH.split(1)]), ranker(BATCH))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        ranker(next(BATCH.split(1)))
    assert cost_of(settings, TASKS).flops_per_example == counter.get_total_flops()


PARTS = {
    "finalnet": ("whole", 1.0, 3),
    "tokenmixer_large": ("labels", 0.1, 3),
    "rankmixer_paper-experts": ("labels", 1.0, 2),
}
"""Models with parts: what these learn from, their weight, and how many logits a task has while training."""


@pytest.mark.parametrize("sharing", SHARINGS)
@pytest.mark.parametrize("name", PARTS)
def test_the_parts_of_a_model_learn_under_every_sharing(name: str, sharing: str) -> None:
    torch.manual_seed(0)
    ranker = build_ranker(small(name, tasks=SHARINGS[sharing]), TASKS)
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    source, weight, num_logits = PARTS[name]
    assert (ranker.parts_learn_from, ranker.part_weight) == (source, weight)
    logits = ranker(BATCH)
    assert logits.shape == (3, 2, num_logits)
    logits[:, :, 1:].square().sum().backward()
    of_parts = [
        parameter.grad
        for place, parameter in ranker.network.named_parameters()
        if any(word in place for word in ("auxiliary", "training_router", ".blocks.1."))
    ]
    assert of_parts
    assert any(grad is not None and grad.abs().max() > 0 for grad in of_parts)


@pytest.mark.parametrize("sharing", ["mmoe", "ple"])
def test_a_shared_network_is_exported_for_any_number_of_examples(sharing: str, without_shape_checks: None) -> None:
    network = build_ranker(small("tokenmixer_large", tasks=SHARINGS[sharing]), TASKS).network.eval()
    fields, more = torch.randn(6, 4, 4), torch.randn(9, 4, 4)

    class FromFields(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, fields: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.network(Embedded(fields))
            return logits

    examples = torch.export.Dim("examples", min=2)
    exported = torch.export.export(FromFields(), (fields,), dynamic_shapes=({0: examples},))
    torch.testing.assert_close(exported.module()(more), network(Embedded(more)))


def test_what_stands_around_a_network_hides_not_what_its_parts_learn_from() -> None:
    position = CategoricalFeature("position", 5, serving_id=2)
    schema = FeatureSchema((*SCHEMA.features, position))
    ranker = build_ranker(small("tokenmixer_large", shallow_tower={"hidden_dims": [3]}), schema)
    assert (ranker.parts_learn_from, ranker.part_weight) == ("labels", 0.1)


def test_the_logits_of_parts_are_those_of_the_towers_on_their_representations() -> None:
    ranker = build_ranker(small("tokenmixer_large", tasks=SHARINGS["shared_bottom"]), TASKS)
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    shared: Any = ranker.network
    outputs = shared.network(ranker.embedding(BATCH))
    logits = ranker(BATCH)
    for part in range(3):
        representation = outputs[:, :, part].relu().unsqueeze(1).expand(-1, 2, -1)
        torch.testing.assert_close(logits[:, :, part], shared.towers(representation))


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

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rankelastor.config.training import TrainingSettings
from rankelastor.errors import SettingsError
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.recipes.load import recipe_from_values
from rankelastor.schema import Batch
from rankelastor.training.inputs import RunInputs
from rankelastor.training.objective import objective_of
from rankelastor.training.run import train


def with_training(values: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return values | {"training": values["training"] | changes}


def test_the_default_is_the_published_cross_entropy() -> None:
    objective = objective_of(TrainingSettings(), ["click"])
    assert not hasattr(objective, "couples_examples")


def test_task_weights_follow_the_order_of_the_tasks() -> None:
    settings = TrainingSettings(task_weights={"share": 0.25, "click": 2.0})
    logits = torch.tensor([[0.5, -1.0, 2.0], [0.0, 3.0, -0.5]])
    ids, labels = torch.ones(2, 1, dtype=torch.int32), torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    batch = Batch(categorical=ids, numeric=torch.zeros(2, 0), labels=labels, group=None)
    named, placed = objective_of(settings, ("click", "like", "share")), BinaryCrossEntropy([2.0, 1.0, 0.25])
    assert named(logits, batch, total=2.0) == placed(logits, batch, total=2.0)


@pytest.mark.parametrize("kind", ["pairwise", "listwise"])
def test_a_ranking_objective_trains_on_batches_of_whole_groups(
    kind: str, recipe_values: dict[str, Any], tmp_path: Path
) -> None:
    recipe = recipe_from_values(with_training(recipe_values, objective={"kind": kind}, epochs=2))
    batches = list(RunInputs.of(recipe).training().train.epoch(1))
    groups = [batch.group.tolist() for batch in batches if batch.group is not None]
    assert sum(len(set(group)) for group in groups) <= 3 + len(batches) - 1  # a border cuts one group
    assert train(recipe, folder=tmp_path / "run").result.epochs == 2


def test_a_task_without_weight_is_not_learned(recipe_values: dict[str, Any], tmp_path: Path) -> None:
    log = tmp_path / "log"
    for split in ("train", "valid", "test"):
        text = (log / f"{split}.csv").read_text().splitlines()
        rows = [f"{line},{index % 2}" for index, line in enumerate(text[1:])]
        (log / f"{split}.csv").write_text("\n".join([f"{text[0]},like", *rows]) + "\n")
    data = {key: value for key, value in recipe_values["data"].items() if key != "label"}
    values = recipe_values | {"data": data | {"labels": {"click": "click", "like": "like"}}}
    values["model"] = values["model"] | {"tasks": {"kind": "mmoe", "num_experts": 2, "width": 4}}
    values = with_training(values, task_weights={"like": 0}, epochs=1)
    inputs = RunInputs.of(recipe_from_values(values))
    objective = objective_of(inputs.recipe.training, inputs.dataset.schema.tasks)
    ranker = inputs.training().ranker
    (batch, *_) = inputs.training().train.epoch(1)
    objective(ranker(batch), batch, total=objective.total(batch)).backward()
    towers = ranker.network.towers
    assert towers.bias.grad[0] != 0  # type: ignore[union-attr, index]
    assert towers.bias.grad[1] == 0  # type: ignore[union-attr, index]
    train(inputs.recipe, folder=tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task_weights": {"buy": 2}}, r"training\.task_weights must name tasks of \['click'\], but \['buy'\] were"),
        ({"task_weights": {"click": 0}}, r"training\.task_weights must not all be 0"),
        ({"objective": {"kind": "pairwise"}, "negatives_kept": 0.5}, r"pairwise needs all rows of a group, but"),
    ],
)
def test_what_does_not_fit_is_refused_before_data_are_read(
    changes: dict[str, Any], message: str, recipe_values: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match=message):
        recipe_from_values(with_training(recipe_values, **changes))


def test_a_ranking_objective_needs_a_group(recipe_values: dict[str, Any]) -> None:
    data = recipe_values["data"] | {"fields": recipe_values["data"]["fields"][:2]}
    values = with_training(recipe_values | {"data": data}, objective={"kind": "listwise"})
    with pytest.raises(SettingsError, match=r"listwise compares the rows of a group, but data\.fields has no group"):
        recipe_from_values(values)

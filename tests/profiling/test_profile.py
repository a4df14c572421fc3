import threading
from pathlib import Path
from typing import Any

import pytest
from tests.collectives.ranks import on_ranks
from torch import Tensor

from rankelastor.errors import SettingsError
from rankelastor.profiling.profile import profile
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import Batch
from rankelastor.training.run import train
from rankelastor.training.step import Stepper


@pytest.mark.parametrize(
    ("model", "stages"),
    [
        ({"kind": "mlp", "hidden_dims": [6]}, ["network"]),
        ({"kind": "dcn_v2", "hidden_dims": [6]}, ["cross", "deep"]),
    ],
    ids=["mlp", "dcn_v2"],
)
def test_the_stages_are_those_of_the_network_or_all_of_it(
    model: dict[str, Any], stages: list[str], recipe_values: dict[str, Any]
) -> None:
    found = profile(recipe_from_values(recipe_values | {"model": model}), num_steps=1, num_warmup=0)
    assert [stage.stage for stage in found.stages] == ["data", "embedding", *stages, "loss", "optimiser", "other"]


def test_the_stages_of_a_step_add_up_to_it(recipe: Recipe) -> None:
    found = profile(recipe, num_steps=4, num_warmup=1)
    network = ["tokenizer", "mixing", "block norms", "FFN", "head"]
    assert [stage.stage for stage in found.stages] == ["data", "embedding", *network, "loss", "optimiser", "other"]
    assert sum(stage.ms for stage in found.stages) == pytest.approx(found.watched_step_ms)
    assert sum(stage.share for stage in found.stages) == pytest.approx(1)
    named = sum(stage.ms for stage in found.stages if stage.stage != "other")
    assert found.accounted_share == pytest.approx(named / found.step_ms)
    assert all(stage.ms == pytest.approx(stage.forward_ms + stage.backward_ms) for stage in found.stages)
    assert (found.num_steps, found.batch_size, found.device, found.precision) == (4, 4, "cpu", "fp32")
    assert found.examples_per_second == pytest.approx(4 / (found.step_ms / 1000))


def test_the_exchange_of_two_processes_is_a_stage_and_the_first_counts_its_bytes(recipe: Recipe) -> None:
    for found in on_ranks(2, lambda processes: profile(recipe, num_steps=2, num_warmup=0, processes=processes)):
        assert [stage.stage for stage in found.stages][-4:] == ["loss", "exchange", "optimiser", "other"]
        assert sum(stage.share for stage in found.stages) == pytest.approx(1)
        assert (found.num_processes, found.batch_size) == (2, 4)
        assert found.bytes_per_step.keys() == {"dense", "rows", "row gradients", "totals"}
        assert found.bytes_per_step["totals"] == 8


def test_a_batch_larger_than_the_data_is_the_data(recipe: Recipe) -> None:
    assert profile(with_overrides(recipe, {"training.batch_size": 64}), num_steps=1).batch_size == 10


@pytest.mark.parametrize("num_steps", [0, -3])
def test_no_steps_are_refused(recipe: Recipe, num_steps: int) -> None:
    with pytest.raises(SettingsError, match=f"steps must be 1 or more, but {num_steps} was given; try 20"):
        profile(recipe, num_steps=num_steps)


def test_a_negative_warm_up_is_refused(recipe: Recipe) -> None:
    with pytest.raises(SettingsError, match="warmup must be 0 or more steps, but -1 was given"):
        profile(recipe, num_warmup=-1)


@pytest.mark.parametrize("read_ahead", [0, 3])
def test_the_batches_are_those_of_training(
    recipe: Recipe, read_ahead: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained: list[Any] = []
    profiled: list[Any] = []
    step = Stepper.step

    def noting(self: Stepper, batch: Batch) -> Tensor:
        seen.append(batch.categorical.tolist())
        return step(self, batch)

    monkeypatch.setattr(Stepper, "step", noting)
    changes = {"order": {"kind": "window", "block_rows": 2, "window_rows": 4}, "read_ahead": read_ahead, "epochs": 2,
               "rare_as_unseen": {"share": 0.5, "max_count": 9}, "batch_size": 5}  # fmt: skip
    changed = with_overrides(recipe, {f"training.{name}": value for name, value in changes.items()})
    seen = trained
    train(changed, folder=tmp_path / "run")
    seen = profiled
    profile(changed, num_steps=1, num_warmup=2)
    assert profiled == trained[:4]
    before = threading.active_count()
    profile(changed, num_steps=1)
    assert threading.active_count() == before

"""A step whose loss or gradient is not finite changes no weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rankelastor.errors import RunError
from rankelastor.execution.slices import BatchGradient, SlicedGradients
from rankelastor.models.ranker import Ranker
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.observers import SilentObserver, Step
from rankelastor.training.run import train

BAD_STEP = 4


@pytest.fixture(params=["loss", "gradient", "row"])
def bad_step(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the loss, a dense gradient or a row's gradient of the fourth step NaN."""
    real, calls = SlicedGradients.__call__, [0]

    def call(self: SlicedGradients, batch: Any, rows: Tensor) -> BatchGradient:
        result = real(self, batch, rows)
        calls[0] += 1
        if calls[0] == BAD_STEP:
            if request.param == "loss":
                result.loss.fill_(float("nan"))
            elif request.param == "row":
                assert result.found is not None
                result.found[0] = float("inf")
            else:
                gradient = result.parameters[0]
                assert gradient is not None
                gradient.view(-1)[0] = float("inf")
        return result

    monkeypatch.setattr(SlicedGradients, "__call__", call)
    return str(request.param)


@pytest.mark.parametrize("updates", ["lazy", "dense"])
def test_the_run_stops_and_says_where(bad_step: str, updates: str, recipe: Recipe, tmp_path: Path) -> None:
    recipe = with_overrides(recipe, {"training.embedding_updates": updates, "training.checkpoint.every_steps": 1})
    what = "the training loss must stay finite, but was nan" if bad_step == "loss" else "the gradient must stay finite"
    with pytest.raises(RunError) as caught:
        train(recipe, folder=tmp_path / "run")
    message = str(caught.value)
    assert message.startswith(what)
    assert "in epoch 2 at step 4 (rows " in message
    assert "gradient norms: " in message
    assert message.endswith("try a smaller training.learning_rate, or training.on_nan=skip")
    # a run that skips goes on from the last checkpoint, which holds the weights of the step before
    skipping = with_overrides(recipe, {"training.on_nan": "skip"})
    assert train(skipping, folder=tmp_path / "run").result.steps == 9


@pytest.mark.parametrize("updates", ["lazy", "dense"])
def test_a_step_that_is_left_out_changes_nothing_and_is_counted(
    bad_step: str, updates: str, recipe: Recipe, tmp_path: Path
) -> None:
    weights: list[dict[str, Tensor]] = []

    class Watch(SilentObserver):
        def on_start(self, ranker: Any, *, num_epochs: int, num_examples: int) -> None:
            del num_epochs, num_examples
            self._ranker = ranker

        def on_step(self, step: Step) -> None:
            del step
            weights.append({name: p.detach().clone() for name, p in self._ranker.network.named_parameters()})

    recipe = with_overrides(recipe, {"training.embedding_updates": updates, "training.on_nan": "skip"})
    run = train(recipe, folder=tmp_path / "run", observers=[Watch()])
    assert run.result.skipped_steps == 1
    assert run.result.as_dict()["skipped_steps"] == 1
    before, bad, after = weights[BAD_STEP - 2 : BAD_STEP + 1]
    assert all(torch.equal(before[name], bad[name]) for name in before)
    assert not all(torch.equal(bad[name], after[name]) for name in bad)
    assert all(tensor.isfinite().all() for tensor in run.ranker.state_dict().values())


@pytest.mark.parametrize("updates", ["lazy", "dense"])
def test_a_gradient_whose_norm_overflows_float32_is_clipped(
    updates: str, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SlicedGradients.__call__

    def call(self: SlicedGradients, batch: Any, rows: Tensor) -> BatchGradient:
        result = real(self, batch, rows)
        gradient = result.parameters[0]
        assert gradient is not None
        gradient.fill_(1e30)
        return result

    monkeypatch.setattr(SlicedGradients, "__call__", call)
    changed = with_overrides(recipe, {"training.embedding_updates": updates, "training.epochs": 1})
    norms = Norms()
    train(changed, folder=tmp_path / "run", observers=[norms])
    assert norms.all == pytest.approx([changed.training.optimiser.clip_norm] * len(norms.all))


class Norms(SilentObserver):
    """An observer that notes the norm of the first dense gradient after each step."""

    def __init__(self) -> None:
        self.all: list[float] = []

    def on_start(self, ranker: Ranker, *, num_epochs: int, num_examples: int) -> None:
        del num_epochs, num_examples
        self._parameter = next(p for p in ranker.parameters() if p is not ranker.embedding.table)

    def on_step(self, step: Step) -> None:
        del step
        assert self._parameter.grad is not None
        self.all.append(float(self._parameter.grad.norm()))

"""Tests that only an allocator's error becomes a message about memory."""

from pathlib import Path

import pytest
import torch

from rankelastor.data.prepare import open_or_prepare
from rankelastor.errors import SettingsError
from rankelastor.models.cost import cost_of
from rankelastor.models.ranker import Ranker
from rankelastor.recipes.recipe import Recipe
from rankelastor.training import fresh_ranker as module
from rankelastor.training.run import train


def build(recipe: Recipe) -> Ranker:
    dataset = open_or_prepare(recipe.data)
    cost = cost_of(recipe.model, dataset.schema)
    return module.fresh_ranker(recipe.model, dataset, cost=cost, device=torch.device("cpu"))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_no_memory_is_the_users_to_mend(recipe: Recipe, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(module, "build_ranker", fail)
    with pytest.raises(SettingsError, match=r"the model must fit in memory, but .* parameters take .* GB; try a"):
        build(recipe)


def test_any_other_error_comes_out_as_it_is(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(module, "build_ranker", fail)
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2 shapes cannot be multiplied$"):
        train(recipe, folder=tmp_path / "run")


def test_a_model_that_the_real_allocator_refuses(recipe: Recipe) -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert module.is_out_of_memory(caught.value)

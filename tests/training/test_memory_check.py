"""A training that does not fit in memory is refused before anything is allocated or written."""

from pathlib import Path

import pytest
import torch

from rankelastor.data.prepare import open_or_prepare
from rankelastor.errors import RunError, SettingsError
from rankelastor.execution.free_memory import FreeMemory
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training import memory_check
from rankelastor.training.memory_check import check_memory
from rankelastor.training.observers import SilentObserver, Step
from rankelastor.training.run import train
from rankelastor.training.speed import peak_memory_bytes

GB = 1_000_000_000


@pytest.fixture
def _one_gb(monkeypatch: pytest.MonkeyPatch) -> None:
    free = FreeMemory(GB, "free on this machine")
    monkeypatch.setattr(memory_check, "free_memory", lambda _device: free)


@pytest.mark.usefixtures("_one_gb")
def test_a_wide_embedding_is_refused_with_the_width_that_fits(recipe: Recipe, tmp_path: Path) -> None:
    wide = with_overrides(recipe, {"model.embedding_dim": 6_000_000})
    before = peak_memory_bytes() or 0
    with pytest.raises(
        SettingsError,
        match=r"training must fit in memory, but takes about [\d.]+ GB \(weights [\d.]+, .*\) and 1\.0 GB are free on "
        r"this machine; try model\.embedding_dim=\d+ instead of 6000000",
    ) as refused:
        train(wide, folder=tmp_path / "runs" / "run")
    assert not (tmp_path / "runs").exists()
    assert (peak_memory_bytes() or 0) - before < GB // 4
    fits = int(str(refused.value).partition("model.embedding_dim=")[2].split()[0])
    dataset = open_or_prepare(recipe.data)
    check_memory(with_overrides(wide, {"model.embedding_dim": fits}), dataset, device=torch.device("cpu"))
    with pytest.raises(SettingsError):
        check_memory(with_overrides(wide, {"model.embedding_dim": 2 * fits}), dataset, device=torch.device("cpu"))


@pytest.mark.usefixtures("_one_gb")
def test_where_the_network_is_too_large_its_width_is_named(recipe: Recipe) -> None:
    large = with_overrides(
        recipe, {"model.token_dim": 30_000, "model.ffn.hidden_dims": [1], "model.head.kind": "linear"}
    )
    with pytest.raises(SettingsError, match=r"try model\.token_dim=\d+ instead of 30000"):
        check_memory(large, open_or_prepare(recipe.data), device=torch.device("cpu"))


def test_where_the_bound_is_unknown_nothing_is_refused(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_check, "free_memory", lambda _device: None)
    huge = with_overrides(recipe, {"model.embedding_dim": 6_000_000})
    assert check_memory(huge, open_or_prepare(recipe.data), device=torch.device("cpu")).total > GB


class Full(SilentObserver):
    """An observer that meets the error of PyTorch's allocator at the third step."""

    def on_step(self, step: Step) -> None:
        if step.index == 3:
            torch.empty(1 << 60, dtype=torch.int8)


def test_memory_that_runs_out_at_a_step_is_explained_and_the_run_can_go_on(recipe: Recipe, tmp_path: Path) -> None:
    recipe = with_overrides(recipe, {"training.checkpoint.every_steps": 1})
    with pytest.raises(RunError, match=r"but memory ran out, though the forecast was 0\.. GB .+; try .+"):
        train(recipe, folder=tmp_path / "run", observers=[Full()])
    assert train(recipe, folder=tmp_path / "run").result.steps > 3

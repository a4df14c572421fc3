"""No call of the library changes the process: its number of threads, denormals, the allocator."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from rankelastor.errors import RankElastorError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.evaluation.scoring import Scorer
from rankelastor.execution import allocator
from rankelastor.profiling.profile import profile
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.serving.predict import predict
from rankelastor.training.run import train
from rankelastor.training.step import Stepper

TINY = 1e-40  # below fp32's normal range
Use = Callable[[Recipe, Path], object]


def is_taken_as_zero() -> bool:
    return not bool(torch.full((1,), TINY, dtype=torch.float32) * 1.0)


def train_anew(recipe: Recipe, folder: Path) -> object:
    return train(recipe, folder=folder / "another")


def evaluate_run(_recipe: Recipe, folder: Path) -> object:
    return evaluate(folder / "run")


def predict_rows(recipe: Recipe, folder: Path) -> object:
    return predict(folder / "run", Path(recipe.data.files.folder) / "test.csv", folder / "scored.csv")


def profile_steps(recipe: Recipe, _folder: Path) -> object:
    return profile(recipe, num_steps=1, num_warmup=0)


USES: list[Use] = [train_anew, evaluate_run, predict_rows, profile_steps]


@pytest.fixture
def two_threads() -> Iterator[None]:
    """The process has two threads; recipes ask for another number."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.fixture
def trained(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_threads: None) -> Recipe:
    """A recipe for three threads, several of which share a batch, trained into ``run``."""
    monkeypatch.setattr("rankelastor.execution.cores.BUSY_WORK", 1)
    recipe = with_overrides(recipe, {"training.threads": 3, "training.epochs": 1})
    train(recipe, folder=tmp_path / "run")
    return recipe


@pytest.mark.parametrize("use", USES)
def test_threads_and_denormals_are_as_before(trained: Recipe, tmp_path: Path, use: Use) -> None:
    use(trained, tmp_path)
    assert torch.get_num_threads() == 2
    assert not is_taken_as_zero()


@pytest.mark.parametrize("use", USES)
def test_threads_and_denormals_are_as_before_after_an_error(
    trained: Recipe, tmp_path: Path, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def fail(*_: object) -> None:
        seen.append(torch.get_num_threads())
        torch.set_flush_denormal(True)
        raise RankElastorError("stopped")

    monkeypatch.setattr(Stepper, "step", fail)
    monkeypatch.setattr(Scorer, "logits", fail)
    with pytest.raises(RankElastorError, match="stopped"):
        use(trained, tmp_path)
    assert seen == [3]
    assert torch.get_num_threads() == 2
    assert not is_taken_as_zero()


@pytest.mark.parametrize("use", USES)
def test_the_allocator_is_left_alone(
    trained: Recipe, tmp_path: Path, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "rankelastor.execution.allocator.ctypes.CDLL", lambda *_: pytest.fail("mallopt belongs to the command line")
    )
    monkeypatch.setattr(allocator, "keep_large_blocks", lambda: pytest.fail("it belongs to the command line"))
    use(trained, tmp_path)

import pytest

from rankelastor.config.training import TrainingSettings
from rankelastor.errors import SettingsError
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.evaluation_steps import evaluation_batches


@pytest.mark.parametrize("every", [None, 1, 3, 50, 0.1, 0.25, 0.3, 0.999])
@pytest.mark.parametrize("num_batches", [1, 2, 7, 40])
def test_the_end_of_an_epoch_is_always_evaluated(every: float | None, num_batches: int) -> None:
    batches = evaluation_batches(every, num_batches=num_batches)
    assert max(batches) == num_batches
    assert min(batches) >= 1


def test_a_share_gives_as_many_evaluations_as_it_goes_into_an_epoch() -> None:
    assert len(evaluation_batches(0.1, num_batches=1000)) == 10
    assert len(evaluation_batches(0.1, num_batches=4)) == 4


@pytest.mark.parametrize("every", [0, -3, 1.5, 0.0])
def test_anything_else_is_refused(every: float, recipe: Recipe) -> None:
    with pytest.raises(SettingsError, match=r"training\.evaluate_every must be a whole number of steps, or a share"):
        with_overrides(recipe, {"training.evaluate_every": every})


def test_a_training_that_does_not_say_evaluates_after_each_epoch() -> None:
    assert TrainingSettings().evaluate_every is None

"""Settings that differ are named with both values; those that change no result are not."""

from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.differences import differences, listed, value_differences


def test_settings_that_change_no_result_may_differ(recipe: Recipe) -> None:
    given = with_overrides(recipe, {"training.checkpoint.every_steps": 3, "training.on_nan": "skip"})
    assert differences(recipe, given) == {}
    found = differences(recipe, with_overrides(given, {"training.seed": 7, "training.batch_size": 9}))
    assert found == {
        "training.batch_size": "training.batch_size was 4 there and is 9 here",
        "training.seed": "training.seed was 1 there and is 7 here",
    }


def test_what_only_one_side_has_is_absent_and_long_values_are_cut() -> None:
    found = value_differences({"a": "x" * 100}, {"b": {"c": None}})
    assert found["a"] == f"a was {'x' * 77}... there and is absent here"
    assert found["b.c"] == "b.c was absent there and is None here"


def test_of_many_differences_five_are_listed() -> None:
    found = {str(number): str(number) for number in range(7)}
    assert listed(found) == "0; 1; 2; 3; 4; and 2 more"

"""Who needs a prepared folder, and that it is not replaced behind their backs."""

import json
import shutil
from pathlib import Path

import pytest

from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings
from rankelastor.data.used_by import USED_BY_FILE, User, add_user, join_users, users_of
from rankelastor.errors import DataError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.recipes.load import dump_yaml, with_overrides
from rankelastor.recipes.prepare import prepare_for
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import train


def with_other_data(recipe: Recipe) -> DataSettings:
    return with_overrides(recipe, {"data.shard_rows": 7}).data


def test_a_run_is_noted_in_the_folder_that_it_was_trained_on(recipe: Recipe, tmp_path: Path) -> None:
    run = train(recipe, folder=tmp_path / "run")
    assert users_of(recipe.data.prepared) == (User("run", run.folder.resolve()),)


def test_a_folder_that_a_run_needs_is_not_replaced_without_force(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, folder=tmp_path / "run")
    with pytest.raises(
        DataError, match=r"the run .*/run needs it as it is, but data\.shard_rows was .* now 7.*force=True"
    ):
        prepare(with_other_data(recipe))
    assert evaluate(tmp_path / "run").as_dict()["num_examples"] == 10
    assert prepare(with_other_data(recipe), force=True).manifest.shard_rows == 7
    assert users_of(recipe.data.prepared) == ()


def test_a_run_that_is_gone_needs_nothing(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, folder=tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    assert prepare(with_other_data(recipe)).manifest.shard_rows == 7


def test_the_same_data_prepared_again_keep_their_users(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, folder=tmp_path / "run")
    prepare(recipe.data, force=True)
    assert users_of(recipe.data.prepared) == (User.of_run(tmp_path / "run"),)


def write(recipe: Recipe, path: Path) -> Path:
    path.write_text(dump_yaml(recipe), encoding="utf-8")
    return path


def test_a_folder_that_another_recipe_needs_is_not_replaced_without_force(recipe: Recipe, tmp_path: Path) -> None:
    one = write(recipe, tmp_path / "one.yaml")
    two = write(recipe.model_copy(update={"data": with_other_data(recipe)}), tmp_path / "two.yaml")
    prepare_for(one, recipe.data)
    with pytest.raises(DataError, match=r"the recipe .*/one\.yaml needs it as it is"):
        prepare_for(two, with_other_data(recipe))
    prepare_for(two, with_other_data(recipe), force=True)
    assert users_of(recipe.data.prepared) == (User.of_recipe(two),)


def test_a_recipe_that_was_changed_replaces_its_own_folder(recipe: Recipe, tmp_path: Path) -> None:
    one = write(recipe, tmp_path / "one.yaml")
    prepare_for(one, recipe.data)
    assert prepare_for(one, with_other_data(recipe)).manifest.shard_rows == 7


def test_recipes_that_are_changed_together_share_their_folder(recipe: Recipe, tmp_path: Path) -> None:
    one, two = (write(recipe, tmp_path / f"{name}.yaml") for name in ("one", "two"))
    prepare_for(one, recipe.data)
    prepare_for(two, recipe.data)
    write(recipe.model_copy(update={"data": with_other_data(recipe)}), two)
    assert prepare_for(one, with_other_data(recipe)).manifest.shard_rows == 7


def test_a_recipe_that_cannot_be_read_needs_nothing(recipe: Recipe, tmp_path: Path) -> None:
    one = write(recipe, tmp_path / "one.yaml")
    prepare_for(one, recipe.data)
    one.write_text("name: [")
    assert prepare_for(tmp_path / "two.yaml", with_other_data(recipe)).manifest.shard_rows == 7


def test_damaged_lines_are_skipped(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.touch()
    (tmp_path / USED_BY_FILE).write_text(f'{{"rec\n[1]\n{{"model": 3}}\n{json.dumps({"recipe": str(recipe)})}\n')
    assert users_of(tmp_path) == (User.of_recipe(recipe),)


def test_a_folder_that_cannot_be_written_can_still_be_used(tmp_path: Path) -> None:
    add_user(tmp_path / "nowhere", User.of_run(tmp_path))
    assert users_of(tmp_path / "nowhere") == ()


def test_many_users_are_counted() -> None:
    users = [User("run", Path(f"/runs/{number}")) for number in range(9)]
    assert join_users(users).endswith("the run /runs/4 and 4 more")


def test_the_list_is_no_part_of_the_data(recipe: Recipe, tmp_path: Path) -> None:
    prepare(recipe.data)
    add_user(recipe.data.prepared, User.of_run(tmp_path))
    assert PreparedDataset.open_matching(recipe.data).splits == ("train", "valid", "test")

"""recipes/README.md names every recipe, and recipes for private data stand apart."""

import re
from pathlib import Path

from rankelastor.data.published.catalogue import DATASETS

RECIPES = Path(__file__).parents[2] / "recipes"
PAGE = (RECIPES / "README.md").read_text(encoding="utf-8")


def test_every_recipe_has_a_row() -> None:
    published, _, private = PAGE.partition("## private/")
    for path in RECIPES.rglob("*.yaml"):
        if path.name != "data.yaml":
            part = private if "private" in path.parts else published
            assert f"`{path.parent.name}/{path.name}`" in part, path


def test_every_row_has_a_recipe() -> None:
    named = re.findall(r"^\| (`[^|]*`) \|", PAGE, re.M)
    paths = [path for row in named for path in re.findall(r"`([^`]+\.yaml)`", row)]
    assert paths
    for path in paths:
        assert (RECIPES / path).is_file() or (RECIPES / "private" / path).is_file(), path


def test_recipes_beside_private_ones_are_for_data_that_a_command_fetches() -> None:
    fetched = {dataset.id.lower() for dataset in DATASETS}
    assert {path.name for path in RECIPES.iterdir() if path.is_dir()} == fetched | {"private"}

"""Every recipe for private data trains: a short run on the data, if they are available."""

import os
from pathlib import Path

import pytest

from rankelastor.recipes.load import load_recipe, with_overrides
from rankelastor.training.run import train

CHECKOUT = Path(__file__).parents[2]
DATA = Path(os.environ.get("RANKELASTOR_DATA", CHECKOUT / "../shared/data"))
RECIPES = [
    pytest.param(
        path, id=f"{path.parent.name}-{path.stem}", marks=() if path.stem == "rankelastor" else pytest.mark.slow
    )
    for path in sorted(CHECKOUT.glob("recipes/private/*/*.yaml"))
    if path.name != "data.yaml"
]
"""Of each data set the recipe of RankElastor is in the default suite, and the others are slow."""


@pytest.mark.parametrize("path", RECIPES)
def test_the_recipe_trains_and_tests(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (DATA / path.parent.name).is_dir():
        pytest.skip(f"no data set {path.parent.name} in {DATA}; RANKELASTOR_DATA names the folder")
    monkeypatch.setenv("RANKELASTOR_DATA", str(DATA.resolve()))
    quick = {"data.prepared": str(tmp_path / "prepared"), "training.epochs": 1, "training.device": "cpu"}
    result = train(with_overrides(load_recipe(path), quick), folder=tmp_path / "run").result
    assert result.test["auc"] > 0.55
    assert result.test["logloss"] < 0.7

"""The recipes of the published data sets, each on synthetic files with the same layout."""

from pathlib import Path

import pytest
import torch
from tests.published_layouts import ROWS, WITHOUT_VALID, write_layout

from rankelastor.data.prepare import prepare
from rankelastor.data.published.catalogue import DATASETS, PublishedDataset
from rankelastor.models.build import build_network
from rankelastor.models.mixer import MixerSettings
from rankelastor.recipes.load import load_recipe, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import FeatureSchema, NumericFeature
from rankelastor.training.run import train

RECIPES = Path(__file__).parents[2] / "recipes"
NUM_FIELDS = {
    "Criteo_x1": 13 + 26,
    "Avazu_x4": 3 + 21,
    "KuaiVideo_x1": 7,
    "TaobaoAd_x1": 16 + 1 + 3,
    "Frappe_x1": 10,
    "MovielensLatest_x1": 3,
}


def recipe_on_made_up_files(path: Path, dataset_id: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    write_layout(dataset_id, folder)
    monkeypatch.setenv("RANKELASTOR_DATA", str(folder))
    return with_overrides(load_recipe(path), {"data.prepared": str(folder / "prepared")})


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.id)
def test_every_published_data_set_has_recipes_that_say_what_they_are(dataset: PublishedDataset) -> None:
    folder = RECIPES / dataset.id.lower()
    assert {"data.yaml", "rankelastor.yaml"} <= {path.name for path in folder.iterdir()}
    for path in folder.glob("*.yaml"):
        assert path.read_text().startswith("# ")
        if path.name != "data.yaml":
            assert load_recipe(path).name == f"{dataset.id.lower()}-{path.stem}"


@pytest.mark.parametrize("dataset_id", NUM_FIELDS)
def test_published_fields_read_files_of_the_published_layout(
    dataset_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = RECIPES / dataset_id.lower() / "rankelastor.yaml"
    dataset = prepare(recipe_on_made_up_files(path, dataset_id, tmp_path, monkeypatch).data)
    assert dataset.schema.num_fields == NUM_FIELDS[dataset_id]
    rows = {split: dataset.split(split).num_rows for split in dataset.splits}
    without_valid = {"train": ROWS["train"], "valid": ROWS["test"]}
    assert rows == (without_valid if dataset_id in WITHOUT_VALID else ROWS)


@pytest.mark.parametrize("dataset_id", ["Avazu_x4", "KuaiVideo_x1", "TaobaoAd_x1", "Frappe_x1", "MovielensLatest_x1"])
def test_a_published_recipe_trains(dataset_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = RECIPES / dataset_id.lower() / "rankelastor.yaml"
    recipe = recipe_on_made_up_files(path, dataset_id, tmp_path, monkeypatch)
    quick = with_overrides(recipe, {"training.epochs": 1, "training.batch_size": 200, "training.device": "cpu"})
    result = train(quick, folder=tmp_path / "run").result
    assert result.epochs == 1
    assert 0 < result.valid["logloss"] < 2
    assert ("gauc" in result.valid) == (dataset_id in WITHOUT_VALID)
    assert ("test" in result.metrics) == (dataset_id not in WITHOUT_VALID)


@pytest.mark.parametrize(
    ("name", "num_tokens", "token_dim", "embedding_dim", "num_blocks"),
    [
        ("criteo_x1/rankelastor", 15, 26, 10, 1),
        ("criteo_x1/rankelastor_e20", 26, 30, 20, 1),
        ("criteo_x1/rankmixer_e20", 26, 26, 20, 2),
        ("avazu_x4/rankelastor", 24, 16, 16, 4),
        ("avazu_x4/rankelastor_e32", 24, 32, 32, 3),
        ("avazu_x4/rankelastor_e64", 24, 64, 64, 5),
    ],
)
def test_published_models_have_the_published_sizes_and_fit_their_fields(
    name: str, num_tokens: int, token_dim: int, embedding_dim: int, num_blocks: int
) -> None:
    model = load_recipe(RECIPES / f"{name}.yaml").model
    assert isinstance(model, MixerSettings)
    assert (model.num_tokens, model.token_dim) == (num_tokens, token_dim)
    assert (model.embedding_dim, model.num_blocks) == (embedding_dim, num_blocks)
    num_fields = {"criteo_x1": 39, "avazu_x4": 24}[name.split("/", maxsplit=1)[0]]
    with torch.device("meta"):
        build_network(model, FeatureSchema(tuple(NumericFeature(f"field{index}") for index in range(num_fields))))

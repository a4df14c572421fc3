"""The recipes of the published data sets, each on synthetic files with the same layout."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from tests.published_layouts import ROWS, WITHOUT_VALID, write_layout

from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.published.catalogue import DATASETS, PublishedDataset
from rankelastor.models.build import build_network
from rankelastor.models.counting_modes import WithoutInitialValues
from rankelastor.models.mixer import MixerSettings
from rankelastor.recipes.load import load_recipe, with_overrides
from rankelastor.recipes.recipe import Recipe
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
ALL = sorted(
    f"{dataset.id.lower()}/{path.stem}"
    for dataset in DATASETS
    for path in (RECIPES / dataset.id.lower()).glob("*.yaml")
    if path.stem != "data"
)
TRAINED = [name for name in ALL if name.split("/")[0] in {"kuaivideo_x1", "taobaoad_x1"}] + [
    "avazu_x4/rankelastor",
    "frappe_x1/rankelastor",
    "movielenslatest_x1/rankelastor",
]
# Parameters of BARS's logs without the rows of embeddings, of weights of first order, and of maps behind vectors.
PUBLISHED_PARAMETERS = {
    "criteo_x1/dcn_v2": 1_154_861,
    "criteo_x1/finalnet": 795_162,
    "criteo_x1/masknet": 667_469,
    "criteo_x1/finalmlp": 1_614_742 - 360 - 1,  # tables of its own for the contexts, a second bias
    "criteo_x1/fibinet": 6_323_935 + 741 * 100,  # one set of matrices for raw and scaled embeddings
    "avazu_x4/dcn_v2": 13_369_745,
    "avazu_x4/finalnet": 9_750_602,
    "avazu_x4/masknet": 16_578_803,
    "avazu_x4/finalmlp": 9_031_002 - 1,
    "kuaivideo_x1/autoint": 2_823_682,
    "kuaivideo_x1/dcn_v2": 1_522_497,
    "kuaivideo_x1/xdeepfm": 1_151_810,
    "taobaoad_x1/autoint": 609_794,
    "taobaoad_x1/dcn_v2": 2_134_145,
    "taobaoad_x1/xdeepfm": 498_978,
}

Prepared = Callable[[str], PreparedDataset]


def dataset_of(name: str) -> PublishedDataset:
    return next(dataset for dataset in DATASETS if dataset.id.lower() == name.split("/", maxsplit=1)[0])


def loaded(name: str) -> Recipe:
    return load_recipe(RECIPES / f"{name}.yaml")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Prepare made-up files of a data set, once for all tests."""

    @cache
    def prepare_once(dataset_id: str) -> PreparedDataset:
        folder = tmp_path_factory.mktemp(dataset_id)
        files = write_layout(dataset_id, folder)
        recipe = loaded(f"{dataset_id.lower()}/rankelastor")
        changes = {"data.prepared": str(folder / "prepared"), "data.files.folder": str(files)}
        return prepare(with_overrides(recipe, changes).data)

    return prepare_once


def on_made_up_files(name: str, dataset: PreparedDataset) -> Recipe:
    folder = dataset.folder.parent / dataset_of(name).id
    return with_overrides(loaded(name), {"data.prepared": str(dataset.folder), "data.files.folder": str(folder)})


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.id)
def test_every_published_data_set_has_recipes_that_say_what_they_are(dataset: PublishedDataset) -> None:
    folder = RECIPES / dataset.id.lower()
    assert {"data.yaml", "rankelastor.yaml"} <= {path.name for path in folder.iterdir()}
    for path in folder.glob("*.yaml"):
        assert path.read_text().startswith("# ")
        if path.name != "data.yaml":
            assert load_recipe(path).name == f"{dataset.id.lower()}-{path.stem}"


@pytest.mark.parametrize("name", ALL)
def test_no_published_recipe_replaces_rare_values(name: str) -> None:
    assert loaded(name).training.rare_as_unseen.share == 0


@pytest.mark.parametrize("dataset_id", NUM_FIELDS)
def test_published_fields_read_files_of_the_published_layout(dataset_id: str, prepared: Prepared) -> None:
    dataset = prepared(dataset_id)
    assert dataset.schema.num_fields == NUM_FIELDS[dataset_id]
    rows = {split: dataset.split(split).num_rows for split in dataset.splits}
    without_valid = {"train": ROWS["train"], "valid": ROWS["test"]}
    assert rows == (without_valid if dataset_id in WITHOUT_VALID else ROWS)


@pytest.mark.parametrize("name", TRAINED)
def test_a_published_recipe_trains(name: str, prepared: Prepared, tmp_path: Path) -> None:
    recipe = on_made_up_files(name, prepared(dataset_of(name).id))
    quick = {"training.epochs": 1, "training.batch_size": 200, "training.device": "cpu", "training.baseline": False}
    result = train(with_overrides(recipe, quick), folder=tmp_path / "run").result
    assert result.epochs == 1
    assert 0 < result.valid["logloss"] < float("inf")
    assert ("gauc" in result.valid) == (dataset_of(name).id in WITHOUT_VALID)
    assert ("test" in result.metrics) == (dataset_of(name).id not in WITHOUT_VALID)


@pytest.mark.parametrize("name", ALL)
def test_every_published_model_fits_its_fields_and_has_the_published_parameters(name: str, prepared: Prepared) -> None:
    with WithoutInitialValues(), torch.device("meta"):
        network = build_network(loaded(name).model, prepared(dataset_of(name).id).schema)
    dense = sum(parameter.numel() for parameter in network.parameters())
    assert dense == PUBLISHED_PARAMETERS.get(name, dense)


@pytest.mark.parametrize(
    ("name", "sizes", "mixing", "ffn"),
    [
        ("criteo_x1/rankelastor", (15, 26, 10, 1), "full", ([64, 64], 3)),
        ("criteo_x1/rankelastor_e20", (26, 30, 20, 1), "full", ([64, 64], 3)),
        ("criteo_x1/rankelastor_e20_v1", (26, 30, 20, 1), "full", ([24, 24], 1.5)),
        ("criteo_x1/rankelastor_e20_v2", (26, 30, 20, 1), "full", ([24, 24], 2)),
        ("criteo_x1/rankelastor_e20_v3", (26, 30, 20, 2), "full", ([24, 24], 2)),
        ("criteo_x1/rankelastor_e20_v4", (26, 30, 20, 2), "full", ([24, 24], 3)),
        ("criteo_x1/rankelastor_e20_v5", (26, 30, 20, 2), "full", ([48, 48], 3)),
        ("criteo_x1/rankelastor_e20_v6", (26, 30, 20, 3), "full", ([48, 48], 3)),
        ("criteo_x1/rankelastor_e20_v7", (26, 30, 20, 4), "full", ([64, 64], 3)),
        ("criteo_x1/rankelastor_e20_fast", (26, 30, 20, 2), "kronecker", ([24, 24], 3)),
        ("criteo_x1/rankmixer_e20", (26, 26, 20, 2), "split", ([200, 200], None)),
        ("avazu_x4/rankelastor", (24, 16, 16, 4), "full", ([16], 3)),
        ("avazu_x4/rankelastor_e32", (24, 32, 32, 3), "full", ([32], 3)),
        ("avazu_x4/rankelastor_e64", (24, 64, 64, 5), "full", ([64], 3)),
        ("avazu_x4/rankelastor_e64_v1", (24, 64, 64, 1), "full", ([64], 1)),
        ("avazu_x4/rankelastor_e64_v2", (24, 64, 64, 2), "full", ([64], 1.5)),
        ("avazu_x4/rankelastor_e64_v3", (24, 64, 64, 2), "full", ([64], 2)),
        ("avazu_x4/rankelastor_e64_v4", (24, 64, 64, 3), "full", ([64], 2)),
        ("avazu_x4/rankelastor_e64_v5", (24, 64, 64, 3), "full", ([64], 3)),
        ("avazu_x4/rankelastor_e64_v6", (24, 64, 64, 4), "full", ([64], 3)),
        ("avazu_x4/rankelastor_e64_v7", (24, 64, 64, 5), "full", ([64], 3)),
        ("avazu_x4/rankelastor_e64_fast", (24, 48, 64, 5), "kronecker", ([64], 3)),
        ("avazu_x4/rankmixer_e64", (24, 48, 64, 5), "split", ([400, 400], None)),
    ],
)
def test_the_authors_models_have_the_published_sizes(
    name: str, sizes: tuple[int, int, int, int], mixing: str, ffn: tuple[list[int], float | None]
) -> None:
    recipe = loaded(name)
    model, training = recipe.model, recipe.training
    assert isinstance(model, MixerSettings)
    assert (model.num_tokens, model.token_dim, model.embedding_dim, model.num_blocks) == sizes
    assert {each.kind for each in model.mixing_of_blocks} == {mixing}
    given = model.ffn.model_dump()
    assert (list(given["hidden_dims"]), given.get("expansion")) == ffn
    assert model.head.kind == "mlp"
    is_criteo = name.startswith("criteo")
    assert training.seed == 2019
    assert training.optimiser.learning_rate == (1e-4 if "e64" in name else 1e-3)
    assert training.batch_size == (4096 if is_criteo else 10_000)
    assert training.optimiser.embedding_l2 == (1e-5 if is_criteo else 0)
    assert training.stopping.monitor == ("auc" if is_criteo else {"auc": 1, "logloss": -1})

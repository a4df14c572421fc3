"""Tests that the published experiments of FuxiCTR become recipes, on synthetic files of the published layouts."""

from pathlib import Path

import pytest
from tests.interop.fuxictr.conftest import Change
from tests.published_layouts import write_layout

from rankelastor.data.prepare import prepare
from rankelastor.interop.fuxictr.convert import Imported, import_experiment
from rankelastor.models.rankelastor import RankElastorSettings
from rankelastor.recipes.load import load_recipe, with_overrides

RECIPES = Path(__file__).parents[3] / "recipes"


def notes(imported: Imported, outcome: str) -> dict[str, str]:
    return {note.setting: note.text for note in imported.notes if note.outcome == outcome}


@pytest.mark.parametrize(
    ("expid", "recipe"),
    [
        ("criteo_e10", "criteo_x1/rankelastor"),
        ("criteo_e20", "criteo_x1/rankelastor_e20"),
        ("criteo_e20_rankmixer", "criteo_x1/rankmixer_e20"),
        ("avazu_e16", "avazu_x4/rankelastor"),
        ("avazu_e32", "avazu_x4/rankelastor_e32"),
        ("avazu_e64", "avazu_x4/rankelastor_e64"),
    ],
)
def test_published_rankelastor_settings_become_our_recipes(expid: str, recipe: str, published: Path) -> None:
    imported = import_experiment(published, expid).recipe
    ours = load_recipe(RECIPES / f"{recipe}.yaml")
    assert imported.model == ours.model
    assert imported.training == ours.training


def test_the_published_fast_mixing_is_the_kronecker_mixing(published: Path) -> None:
    model = import_experiment(published, "criteo_e20_fast").recipe.model
    assert isinstance(model, RankElastorSettings)
    assert model.mixing.model_dump() == {"kind": "kronecker", "num_groups": 26, "norm": "pre"}
    assert model.num_blocks == 2


@pytest.mark.parametrize(
    ("expid", "dataset_id"),
    [
        ("criteo_e10", "Criteo_x1"),
        ("avazu_e16", "Avazu_x4"),
        ("DIN_kuaivideo", "KuaiVideo_x1"),
        ("DIN_taobaoad", "TaobaoAd_x1"),
    ],
)
def test_published_layouts_prepare_to_the_features_of_our_recipes(
    expid: str, dataset_id: str, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_layout(dataset_id, tmp_path / "raw")
    monkeypatch.setenv("RANKELASTOR_DATA", str(tmp_path / "raw"))
    (tmp_path / "imported.yaml").write_text(import_experiment(published, expid).text())
    imported = load_recipe(tmp_path / "imported.yaml")
    ours = load_recipe(RECIPES / dataset_id.lower() / "rankelastor.yaml")
    schemas = [
        prepare(with_overrides(recipe, {"data.prepared": str(tmp_path / name)}).data).schema
        for name, recipe in {"imported": imported, "ours": ours}.items()
    ]
    assert schemas[0] == schemas[1]


def test_the_text_holds_the_values_and_the_notes(published: Path, tmp_path: Path) -> None:
    imported = import_experiment(published, "criteo_e10")
    (tmp_path / "a.yaml").write_text(imported.text())
    assert load_recipe(tmp_path / "a.yaml") == imported.recipe
    comments = [line for line in imported.text().splitlines() if line.startswith("#")]
    assert comments[0] == "# FuxiCTR's experiment criteo_e10 on the data set criteo_x1_7b681156."
    assert "# Settings that FuxiCTR accepts and ignores:" in comments
    assert "#   patience: 2 - FuxiCTR 2.3.1 reads early_stop_patience, 2 unless given" in comments
    assert max(map(len, comments)) <= 120


def test_what_the_published_code_ignores_is_said(published: Path, changed: Change) -> None:
    ignored = notes(import_experiment(published, "criteo_e10"), "ignored by FuxiCTR")
    assert {"net_dropout", "patience", "batch_norm", "opq_momentum", "use_hdf5", "every_x_epochs"} <= ignored.keys()
    folder = changed("criteo_e10", model={"Token_width": 9, "proj_param": {"activation": "swish", "bias": False}})
    ignored = notes(import_experiment(folder, "criteo_e10"), "ignored by FuxiCTR")
    assert ignored["Token_width"] == "UniMixer accepts any setting and does not read this one"
    assert ignored["proj_param.activation"] == "an unknown name, for which the published code silently uses relu"
    assert ignored["proj_param.bias"] == "the tokenizer does not read it"


def test_settings_of_an_unused_variant_are_said_to_be_ignored(published: Path) -> None:
    assert "proj_param" in notes(import_experiment(published, "avazu_e32"), "ignored by FuxiCTR")
    rankmixer = notes(import_experiment(published, "criteo_e20_rankmixer"), "ignored by FuxiCTR")
    assert rankmixer["interaction_mlp_params.expansion_rate"] == "only read with activation swiglu"


def test_every_setting_is_either_carried_over_or_noted(published: Path, changed: Change) -> None:
    """Check that an unknown setting is noted wherever it is."""
    folder = changed(
        "DIN_taobaoad",
        model={"novel": 1},
        dataset={"strange": 2},
        column={"name": "a", "unheard": 3, "embedding_dim": 8},
    )
    imported = import_experiment(folder, "DIN_taobaoad")
    assert notes(imported, "no equal")["novel"] == "it belongs to DIN"
    assert notes(imported, "ignored by FuxiCTR")["strange"] == "FuxiCTR 2.3.1 does not read it in a data set"
    assert notes(imported, "no equal")["feature_cols.a.unheard"] == "it has no meaning for this type of column"
    assert "the model's width, 32" in notes(imported, "no equal")["feature_cols.a.embedding_dim"]


def test_a_setting_that_the_data_set_repeats_counts_for_the_model(changed: Change) -> None:
    imported = import_experiment(changed("criteo_e10", dataset={"embedding_dim": 20, "seed": 5}), "criteo_e10")
    assert (imported.recipe.model.embedding_dim, imported.recipe.training.seed) == (20, 5)
    assert not {"embedding_dim", "seed"} & {note.setting for note in imported.notes}


def test_another_model_keeps_data_and_training(published: Path) -> None:
    imported = import_experiment(published, "DIN_kuaivideo")
    recipe = imported.recipe
    assert (recipe.model.kind, recipe.model.embedding_dim) == ("rankelastor", 64)
    assert (recipe.training.optimiser.learning_rate, recipe.training.optimiser.embedding_l2) == (5e-4, 5e-5)
    assert recipe.training.stopping.monitor == {"gauc": 1.0, "auc": 1.0}
    assert recipe.training.rare_as_unseen.share == 0
    without = notes(imported, "no equal")
    assert {"model", "dnn_hidden_units", "net_dropout", "net_regularizer"} <= without.keys()
    assert "feature_cols.(pos_items_emb, neg_items_emb).feature_encoder" not in without


def test_a_folder_of_several_files_is_read_as_fuxictr_does(published: Path, tmp_path: Path) -> None:
    for kind in ("model_config", "dataset_config"):
        (tmp_path / "many" / kind).mkdir(parents=True)
        (published / f"{kind}.yaml").rename(tmp_path / "many" / kind / "all.yaml")
        (tmp_path / "many" / kind / "other.yaml").write_text("another: {a: 1}\n")
    assert import_experiment(tmp_path / "many", "avazu_e16").recipe.name == "avazu_e16"


def test_encoded_files_are_replaced_by_the_raw_ones_in_data_root(changed: Change) -> None:
    encoded = {f"{split}_data": f"data/Criteo_x1/criteo_x1_7b/{split}.parquet" for split in ("train", "valid", "test")}
    values = {"data_format": "parquet", "rebuild_dataset": False, "data_root": "data/Criteo_x1/", **encoded}
    imported = import_experiment(changed("criteo_e10", dataset=values), "criteo_e10")
    files = imported.recipe.data.files
    assert (files.folder, files.train, files.test) == ("data/Criteo_x1", ("train.csv",), ("test.csv",))
    assert "reads the raw CSV files in data/Criteo_x1" in notes(imported, "differs")["rebuild_dataset"]


def test_rows_split_off_by_size_become_a_split(changed: Change) -> None:
    values = {"valid_size": 0.1, "test_size": 0.2, "split_type": "random", "valid_data": None, "test_data": None}
    data = import_experiment(changed("criteo_e10", dataset=values), "criteo_e10").recipe.data
    assert data.files.all is not None
    assert data.files.all == ("train.csv",)
    assert data.split is not None
    assert (data.split.kind, data.split.valid, data.split.test) == ("random", 0.1, 0.2)


def test_a_test_file_serves_as_valid_where_there_is_no_other(changed: Change) -> None:
    imported = import_experiment(changed("criteo_e10", dataset={"valid_data": None}), "criteo_e10")
    assert imported.recipe.data.files.valid == ("test.csv",)
    assert imported.recipe.data.files.test is None
    assert "test_data is used as the valid split" in notes(imported, "differs")["valid_data"]


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ({"embedding_regularizer": "l2(1.e-3)"}, {"embedding_l2": 1e-3}),
        ({"embedding_regularizer": "l1_l2(1.e-4, 1.e-3)"}, {"embedding_l2": 1e-3}),
        ({"monitor": "logloss", "monitor_mode": "min"}, {"monitor": "logloss"}),
        ({"monitor": {"gAUC": 1}, "early_stop_patience": 3}, {"monitor": "gauc", "patience": 3}),
        ({"reduce_lr_on_plateau": False, "max_gradient_norm": 1}, {"rate_drop": 1.0, "clip_norm": 1.0}),
    ],
    ids=",".join,
)
def test_training_carries_over(model: dict[str, object], settings: dict[str, object], changed: Change) -> None:
    training = import_experiment(changed("criteo_e10", model=model), "criteo_e10").recipe.training
    flat = training.optimiser.model_dump() | training.stopping.model_dump()
    assert {key: flat[key] for key in settings} == settings


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ({"optimizer": "sgd"}, "optimizer"),
        ({"net_regularizer": 1e-5}, "net_regularizer"),
        ({"shuffle": False}, "shuffle"),
        ({"eval_steps": 100}, "eval_steps"),
        ({"embedding_regularizer": "l1(1.e-3)"}, "embedding_regularizer"),
        ({"monitor": "logloss", "monitor_mode": "max"}, "monitor_mode"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_training_without_equal_is_noted(model: dict[str, object], path: str, changed: Change) -> None:
    assert path in notes(import_experiment(changed("criteo_e10", model=model), "criteo_e10"), "no equal")


def test_variants_of_the_published_code_carry_over(changed: Change) -> None:
    ffn = {"activation": "swiglu-mhc", "hidden_units": [8], "bias": False, "expansion_rate": 2.0}
    projection = {"activation": "silu", "hidden_units": [9]}
    model = {
        "depth": 3,
        "mixing_type": [999, 1, 999],
        "use_opq": True,
        "opq_momentum": 0.2,
        "pred_head": "noparam_mean",
        "interaction_mlp_params": ffn,
        "proj_param": projection,
    }
    imported = import_experiment(changed("criteo_e10", model=model), "criteo_e10")
    values = imported.recipe.model.model_dump()
    assert [mixing["kind"] for mixing in values["mixings"]] == ["full", "identity", "full"]
    assert values["rotation"] == {"kind": "eigenvalue", "momentum": 0.2}
    assert (values["ffn"]["kind"], values["ffn"]["bias"], values["ffn"]["expansion"]) == ("hyper_glu", False, 2.0)
    assert (values["head"]["kind"], values["tokenizer"]["activation"]) == ("mean", "silu")
    assert {"use_opq", "mixing_type", "interaction_mlp_params.bias"}.isdisjoint(notes(imported, "no equal"))


def test_sizes_that_cannot_work_with_the_columns_are_said(changed: Change) -> None:
    imported = import_experiment(changed("criteo_e10", {"Token_num": 16}), "criteo_e10")
    (note,) = [note for note in imported.notes if note.outcome == "cannot work"]
    assert "num_tokens must divide field * embedding_dim = 390" in note.text
    assert "# Settings that cannot work with these data:" in imported.text()

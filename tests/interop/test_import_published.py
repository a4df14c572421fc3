"""A checkpoint of the published code, in the layout that it writes, becomes a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.special import expit
from tests.interop.published_files import ARRAYS, COLUMNS, DIM, MODEL, NUM_ROWS, PublishedFiles

from rankelastor.errors import RunError, SettingsError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.models.mixer import MixerSettings
from rankelastor.runs.load import load_run
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.spectrum.runs.measure_run import measure_run


@pytest.fixture
def published(tmp_path: Path) -> PublishedFiles:
    return PublishedFiles(tmp_path)


def test_probabilities_are_those_of_the_published_code(published: PublishedFiles) -> None:
    published.imported()
    rows = pl.read_csv(published.raw / "test.csv")
    probability = predict_proba(load_run(published.folder / "run"), rows)
    np.testing.assert_allclose(probability.ravel(), expit(ARRAYS["out.logits"]), atol=1e-6)


def test_the_run_evaluates_and_shows_its_spectrum(published: PublishedFiles) -> None:
    imported = published.imported()
    assert imported.recipe.model.kind == "rankelastor"
    assert imported.recipe.training.rare_as_unseen.share == 0
    assert 0 <= evaluate(imported.folder, split="test").value("auc") <= 1
    stages = list(measure_run(imported.folder, split="test").stages)
    assert stages == ["fields", "tokens", "block0.mixing", "block0.pffn", "block1.mixing", "block1.pffn"]


def test_values_that_only_one_side_knows_are_counted_and_score_as_unknown(published: PublishedFiles) -> None:
    imported = published.imported()
    assert {(each.num_values, each.num_unknown, each.num_lost) for each in imported.matched} == {(NUM_ROWS + 1, 1, 0)}
    embedding = load_run(imported.folder).ranker.embedding
    rows = embedding.row_ranges[0]
    assert rows is not None
    known = embedding.table[rows]
    torch.testing.assert_close(known[NUM_ROWS:], torch.full((2, DIM), 0.25))  # the value 99, then out of vocabulary


def test_a_checkpoint_that_was_trained_on_several_devices_has_wrapped_names(published: PublishedFiles) -> None:
    torch.save({f"module.{name}": tensor for name, tensor in published.state.items()}, published.checkpoint)
    published.imported()


def test_a_file_that_would_run_code_is_refused(published: PublishedFiles) -> None:
    torch.save({"weight": torch.zeros(1), "hook": PublishedFiles}, published.checkpoint)
    with pytest.raises(SettingsError, match=r"must hold tensors alone.*not unpickled because it could run code"):
        published.imported()


def test_files_that_are_no_checkpoints_are_refused(published: PublishedFiles) -> None:
    published.checkpoint.write_bytes(b"nothing")
    with pytest.raises(SettingsError, match=r"small\.model must"):
        published.imported()
    torch.save([torch.zeros(1)], published.checkpoint)
    with pytest.raises(SettingsError, match="must map names to tensors, but does not"):
        published.imported()
    torch.save({"weight": torch.zeros(1)}, published.checkpoint)
    with pytest.raises(SettingsError, match="must hold the embeddings of features"):
        published.imported()
    published.checkpoint.unlink()
    with pytest.raises(SettingsError, match=r"a checkpoint must be a file, but .*small\.model is none"):
        published.imported()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mixing_type": 7}, r"mixing_type must be one of \[1, 2, 999, 8881, 8882\], but 7 was given"),
        ({"mixing_type": 2}, "Token_num must divide Token_dim with mixing_type 2, but 6 and 8 were given"),
        ({"pred_head": "sum"}, "pred_head must be one of"),
        ({"Token_num": 5}, "num_tokens must divide"),
        ({"model": "DCNv2"}, "must be UniMixer, the published code's, but small_run has 'DCNv2'"),
        ({"depth": 3}, r"must hold backbone\.2\."),
        ({"pred_head": "flatten"}, "fit their settings|do not have"),
        ({"embedding_dim": 6}, r"embedding_layers\.c0\.weight must have the shape \(9, 6\)"),
    ],
)
def test_a_setting_that_cannot_work_is_said_at_import(
    changes: dict[str, Any], message: str, published: PublishedFiles
) -> None:
    published.write_settings(MODEL | changes)
    with pytest.raises(SettingsError, match=message):
        published.imported()
    assert not (published.folder / "run").exists()


def test_names_of_the_published_settings_are_understood(published: PublishedFiles) -> None:
    published.write_settings(MODEL | {"mixing_type": [1, 999], "pred_head": "noparam_mean"})
    state = {
        name: tensor
        for name, tensor in published.state.items()
        if not name.startswith(("pred.", "backbone.0.token_mixing"))
    }
    torch.save(state, published.checkpoint)
    model = published.imported().recipe.model
    assert isinstance(model, MixerSettings)
    assert ([each.kind for each in model.mixing_of_blocks], model.head.kind) == (["identity", "full"], "mean")


def test_fields_in_another_order_are_refused(published: PublishedFiles) -> None:
    published.write_recipe([*COLUMNS[1:], COLUMNS[0]])
    with pytest.raises(SettingsError, match=r"field 1 of the recipe must be c0 .* but is c1"):
        published.imported()
    published.write_recipe(COLUMNS[:-1])
    with pytest.raises(SettingsError, match=r"must have the 9 fields of feature_map\.json, but has 8|num_tokens must"):
        published.imported(run=published.folder / "other")


def test_features_may_lie_where_the_published_code_wrote_them(published: PublishedFiles) -> None:
    (published.folder / "small").mkdir()
    for name in ("feature_map.json", "feature_vocab.json"):
        (published.settings / name).rename(published.folder / "small" / name)
    published.imported()
    (published.folder / "small" / "feature_vocab.json").unlink()
    with pytest.raises(SettingsError, match=r"feature_map\.json, but there is no such file"):
        published.imported(run=published.folder / "other")


def test_a_run_folder_that_exists_is_not_touched(published: PublishedFiles) -> None:
    (published.folder / "run").mkdir()
    with pytest.raises(RunError, match="a run folder must be new"):
        published.imported()

"""What reads prepared folders and runs reads those of further days too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
from tests.training.further_days import recipe_of, write_days

from rankelastor.bundles.make import BundleOptions, bundle_run
from rankelastor.data.prepare import prepare
from rankelastor.data.raw.frames import frame_rows
from rankelastor.data_report.report import report_on
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.export.encoding import encoding_of
from rankelastor.export.reference_encoder import Encoder
from rankelastor.runs.load import load_run
from rankelastor.service.model import ServedModel
from rankelastor.serving.embeddings import field_vectors
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.training.run import train


def test_a_further_day_is_trained_from_the_run_and_everything_reads_it(tmp_path: Path) -> None:
    write_days(tmp_path)
    first = train(recipe_of(tmp_path, 0), folder=tmp_path / "first")
    recipe = recipe_of(tmp_path, 1, **{"training.rare_as_unseen.share": 0.2})
    dataset = prepare(recipe.data, extend=tmp_path / "prepared-0")
    second = train(recipe, folder=tmp_path / "second", start_from=first.folder)
    third = recipe_of(tmp_path, 2, **{"data.max_idle_days": 1})
    prepare(third.data, extend=dataset.folder)
    trained = train(third, folder=tmp_path / "third", start_from=second.folder)
    loaded, rows = load_run(trained.folder), tmp_path / "valid-2.csv"
    vocabulary = loaded.encoder.vocabularies["item"]
    assert vocabulary.given is not None
    assert "i0" not in vocabulary.values.to_list(), "what only the first day held is gone"
    on_rows, on_split = (evaluate(loaded, on=rows), evaluate(loaded, split="valid"))
    assert on_rows.value("auc") == on_split.value("auc"), "rows are encoded as they were prepared"
    site = report_on(dataset).ids["site"]
    assert site.unseen_share is not None
    assert site.unseen_share["train"] == 0


def test_bundles_exports_and_services_know_the_ids_of_further_days(tmp_path: Path) -> None:
    write_days(tmp_path)
    first = train(recipe_of(tmp_path, 0), folder=tmp_path / "first")
    recipe = recipe_of(tmp_path, 1)
    prepare(recipe.data, extend=tmp_path / "prepared-0")
    run = load_run(train(recipe, folder=tmp_path / "second", start_from=first.folder).folder)
    frame = pl.read_csv(tmp_path / "test-2.csv")
    expected = predict_proba(run, frame)
    bundle = tmp_path / "second.rank"
    bundle_run(run.folder, bundle, options=BundleOptions(hash_vocabularies=True, measure=False))
    np.testing.assert_array_equal(predict_proba(load_run(bundle), frame), expected)
    encoder = Encoder(json.loads(json.dumps(encoding_of(run.encoder))))
    texts = frame.with_columns(pl.all().cast(pl.String).fill_null("")).to_dicts()
    (table,) = frame_rows(frame)
    assert encoder.encode(texts)["categorical"] == run.encoder.encode(table).categorical.tolist()
    (item,) = field_vectors(run, ["item"])
    assert item.ids.tolist() == run.encoder.vocabularies["item"].known_ids.tolist()
    assert item.unseen is not None
    unseen = run.encoder.vocabularies["site"].out_of_vocabulary_id
    assert ServedModel(run.folder).encode([{"item": "new", "site": "new", "past": ""}]).categorical[0, 1] == unseen

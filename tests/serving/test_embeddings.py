"""The vectors that are exported are those that the model reads."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from tests.conftest import tiny_values, write_clicks

from rankelastor.data.raw.frames import frame_rows
from rankelastor.errors import SettingsError, StorageError
from rankelastor.recipes.load import recipe_from_values
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.serving.embeddings import export_embeddings, field_vectors
from rankelastor.training.run import train

FIELDS = [
    {"kind": "categorical", "column": "site"},
    {"kind": "hashed", "column": "device", "num_buckets": 5},
    {"kind": "quantile", "column": "price", "num_buckets": 2},
    {"kind": "sequence", "column": "site", "name": "sites", "separator": "|", "max_length": 2, "shares": "site"},
    {
        "kind": "categorical",
        "column": "user",
        "pretrained": {"file": "users.parquet", "key": "user", "vector": "vector", "trained": False},
    },
    {"kind": "numeric", "column": "price", "name": "price_number"},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> LoadedRun:
    folder = tmp_path_factory.mktemp("shared")
    log = write_clicks(folder)
    pl.DataFrame({"user": ["u1", "u2"], "vector": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}).write_parquet(
        log / "users.parquet"
    )
    values = tiny_values(log, prepared=folder / "prepared")
    values["data"]["fields"] = FIELDS
    return load_run(train(recipe_from_values(values), folder=folder / "run").folder)


@torch.inference_mode()
def test_a_value_has_the_vector_that_the_model_looks_up(run: LoadedRun) -> None:
    new = pl.DataFrame({"site": ["a", "b", "new"], "device": "x", "price": 1.0, "user": ["u1", "u2", "u9"]})
    (rows,) = frame_rows(new)
    embedded = run.ranker.embedding(run.encoder.encode(rows)).fields
    names = [spec.name for spec in run.encoder.manifest.features]
    exported = {each.field: each for each in field_vectors(run)}
    for name in ("site", "user"):
        seen = embedded[:, names.index(name)].numpy()
        vectors = exported[name]
        for place, value in enumerate(new[name][:2]):
            assert np.array_equal(vectors.vectors[vectors.values.index(value)], seen[place])
        assert vectors.unseen is not None
        assert np.array_equal(vectors.unseen, seen[2])


def test_the_files_hold_value_count_id_and_vector(run: LoadedRun, tmp_path: Path) -> None:
    export_embeddings(run.folder, tmp_path / "vectors")
    listed = json.loads((tmp_path / "vectors" / "embeddings.json").read_text())
    assert list(listed["fields"]) == ["site", "device", "price", "user"]
    assert listed["shared"] == {"sites": "site"}
    frame = pl.read_parquet(tmp_path / "vectors" / listed["fields"]["site"]["file"])
    assert frame.columns == ["value", "count", "id", "vector"]
    assert frame["value"].to_list() == ["a", "b", "c"]
    assert frame["count"].to_list() == [8, 8, 4]  # the field and the sequence that shares it, both count
    assert frame["vector"].to_numpy().shape == (3, 4)
    assert len(listed["fields"]["site"]["unseen"]) == 4
    devices = pl.read_parquet(tmp_path / "vectors" / "device.parquet")
    assert devices["value"].to_list() == [f"bucket {number}" for number in range(1, 6)]
    assert devices["count"].null_count() == 5
    prices = pl.read_parquet(tmp_path / "vectors" / "price.parquet")["value"].to_list()
    assert prices[0].startswith("x < ")
    assert prices[-1] == ""  # the blank price


def test_chosen_fields_alone_are_exported(run: LoadedRun, tmp_path: Path) -> None:
    assert [each.field for each in export_embeddings(run, tmp_path / "v", fields=["sites", "user"])] == ["site", "user"]
    with pytest.raises(SettingsError, match=r"a field with vectors must be one of 'site', .* but 'price_number' was"):
        export_embeddings(run, tmp_path / "w", fields=["price_number"])
    assert not (tmp_path / "w").exists()


def test_only_an_earlier_export_is_replaced(run: LoadedRun, tmp_path: Path) -> None:
    export_embeddings(run, tmp_path / "v", fields=["site"])
    with pytest.raises(StorageError, match=r"must go to a new folder, but /.*v exists; try overwrite=True"):
        export_embeddings(run, tmp_path / "v")
    export_embeddings(run, tmp_path / "v", overwrite=True)
    assert (tmp_path / "v" / "user.parquet").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(StorageError, match=r"but /.*mine holds other files"):
        export_embeddings(run, tmp_path / "mine", overwrite=True)
    with pytest.raises(StorageError, match=r"what is written must be a path, but s3://bucket/v was given"):
        export_embeddings(run, "s3://bucket/v")

"""A recipe with a history and pretrained vectors: train, evaluate, describe, measure, and score new rows."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from rankelastor.cli.describe import _field_table
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.pretrained import PretrainedEmbedding
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.load import load_run
from rankelastor.serving.predict import predict
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.training.run import train

HEADER = "click,item,seen,price,user\n"
ROWS = [f"{item in seen:d},{item},{'|'.join(seen)},{index},u{index % 3}\n" for index, (item, seen) in enumerate(
    [("a", "ab"), ("a", "b"), ("b", "ab"), ("b", "a"), ("c", "c"), ("c", "bb"), ("a", "a"), ("b", ""), ("c", "cab")]
)]  # fmt: skip
VECTORS = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)


@pytest.fixture(params=[False, True], ids=["frozen", "trained"])
def recipe(request: pytest.FixtureRequest, recipe_values: dict[str, Any], click_log: Path) -> Recipe:
    for split in ("train", "valid", "test"):
        (click_log / f"{split}.csv").write_text(HEADER + "".join(ROWS))
    np.savez(click_log / "vectors.npz", key=np.array(["a", "b"]), value=VECTORS)
    vectors = {"file": "vectors.npz", "trained": request.param}
    recipe_values["data"]["fields"] = [
        {"kind": "sequence", "column": "seen", "separator": "|", "max_length": 2, "shares": "item"},
        {"kind": "categorical", "column": "item"},
        {"kind": "categorical", "column": "item", "name": "looks", "pretrained": vectors},
        {"kind": "quantile", "column": "price", "num_buckets": 3},
        {"kind": "hashed", "column": "user", "num_buckets": 7},
        {"kind": "group", "column": "user"},
    ]
    recipe_values["model"] |= {"num_tokens": 5}
    return recipe_from_values(recipe_values)


def vectors_of(ranker: Ranker) -> torch.Tensor:
    (embedding,) = ranker.embedding.pretrained.values()
    assert isinstance(embedding, PretrainedEmbedding)
    return embedding.vectors.detach()


def test_it_trains_and_the_run_folder_needs_nothing_else(recipe: Recipe, tmp_path: Path) -> None:
    run = train(recipe, folder=tmp_path / "run")
    assert "gauc" in run.result.test
    given = torch.zeros(5, 2)
    given[1:3] = torch.from_numpy(VECTORS)
    is_frozen = "vectors" not in dict(next(iter(run.ranker.embedding.pretrained.children())).named_parameters())
    order = load_run(run.folder).encoder.vocabularies["looks"].values.to_list()
    assert order == ["a", "b", "c"]
    assert torch.equal(vectors_of(run.ranker), given) == is_frozen
    shutil.rmtree(recipe.data.prepared)
    shutil.rmtree(recipe.data.files.folder)
    assert torch.equal(vectors_of(load_run(run.folder).ranker), vectors_of(run.ranker))
    (tmp_path / "new.csv").write_text("item,seen,price,user\na,a|b|zzz,2,u1\nnew,,,\n")
    assert predict(run.folder, tmp_path / "new.csv", tmp_path / "scored.csv") == 2
    assert pl.read_csv(tmp_path / "scored.csv")["probability"].is_between(0, 1).all()


def test_the_spectrum_and_the_field_table_know_all_kinds(recipe: Recipe, tmp_path: Path) -> None:
    run = train(recipe, folder=tmp_path / "run")
    assert [table.field for table in measure_run(run.folder, num_examples=5).tables] == ["item"]
    kinds = list(_field_table(load_run(run.folder).encoder.manifest).columns[1].cells)
    assert list(map(str, kinds[:2])) == ["sequence of 2", "categorical"]
    assert str(kinds[2]).endswith("vectors of 2")

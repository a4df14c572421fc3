"""Shared by all tests: small logs, and one thread each, since tests run side by side."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import torch
from hypothesis import settings

from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe

pytest_plugins = ["tests.local_ray", "tests.local_s3"]

torch.set_num_threads(1)

# a busy machine is no fault of a property: times are the benchmarks' business
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")

CLICKS = """\
click,site,device,price,user
1,a,phone,1.5,u1
0,a,tablet,2.0,u1
1,b,phone,0.5,u2
0,b,tablet,,u2
1,a,phone,1.0,u3
0,c,tablet,2.5,u3
1,b,phone,0.7,u1
0,a,tablet,3.0,u2
1,c,phone,0.1,u3
0,b,tablet,2.2,u1
"""
"""Ten rows by hand: phones are clicked, tablets are not."""


@pytest.fixture
def click_log(tmp_path: Path) -> Path:
    """A folder with the ten rows as train, valid and test."""
    return write_clicks(tmp_path)


def write_clicks(folder: Path) -> Path:
    """Write the ten rows as train, valid and test into a new folder ``log`` in a folder, and return it."""
    (folder / "log").mkdir()
    for split in ("train", "valid", "test"):
        (folder / "log" / f"{split}.csv").write_text(CLICKS)
    return folder / "log"


@pytest.fixture
def without_shape_checks() -> Iterator[None]:
    """Let functions see inputs of a wrong shape or type, as they do outside the tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


_OUR_LOGGING_LEVEL = logging.getLogger("rankelastor").level


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """The command line sets logging up for its process; a test or the fixture of a module must not change the next."""
    root, ours = logging.getLogger(), logging.getLogger("rankelastor")
    before = (list(root.handlers), root.level)
    ours.setLevel(_OUR_LOGGING_LEVEL)
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])


@pytest.fixture
def recipe_values(click_log: Path, tmp_path: Path) -> dict[str, Any]:
    """The settings of a tiny ranker on the ten rows, as they stand in YAML."""
    return tiny_values(click_log, prepared=tmp_path / "prepared")


def tiny_values(log: Path, *, prepared: Path) -> dict[str, Any]:
    """Make the settings of a tiny ranker on the ten rows in the folder ``log``."""
    return {
        "name": "tiny",
        "data": {
            "prepared": str(prepared),
            "files": {"folder": str(log), "train": "train.csv", "valid": "valid.csv", "test": "test.csv"},
            "label": "click",
            "fields": [
                {"kind": "categorical", "column": ["site", "device"]},
                {"kind": "numeric", "column": "price", "transform": "log"},
                {"kind": "group", "column": "user"},
            ],
        },
        "model": {
            "kind": "rankelastor",
            "embedding_dim": 4,
            "num_tokens": 3,
            "token_dim": 6,
            "num_blocks": 1,
            "tokenizer": {"kind": "split"},
            "ffn": {"kind": "glu", "hidden_dims": [6], "dropout": 0.1},
        },
        "training": {"epochs": 3, "batch_size": 4, "learning_rate": 0.01, "device": "cpu"},
    }


@pytest.fixture
def recipe(recipe_values: dict[str, Any]) -> Recipe:
    """A tiny ranker on the ten rows."""
    return recipe_from_values(recipe_values)

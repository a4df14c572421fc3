"""Tests that what a service tells of its fields is true of every kind, and a valid row to begin with."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rankelastor.data.encoder import RowEncoder
from rankelastor.runs.load import LoadedRun
from rankelastor.service.columns import raw_rows
from rankelastor.service.facts import ModelFacts
from rankelastor.service.request_types import RequestTypes


def facts_of(encoder: RowEncoder, folder: Path) -> dict[str, Any]:
    """What ``/v1/fields`` tells of a run without example rows."""
    recipe = SimpleNamespace(name="kinds", model=SimpleNamespace(kind="fm"))
    run = SimpleNamespace(encoder=encoder, recipe=recipe, bundle=None, folder=folder)
    return ModelFacts(cast("LoadedRun", run)).fields


def test_frequent_values_are_those_of_the_column_and_no_pairs_or_parts_of_times(
    all_kinds: RowEncoder, tmp_path: Path
) -> None:
    values = facts_of(all_kinds, tmp_path)["values"]
    assert set(values) == {"site", "item", "seen"}
    assert set(values["site"]) == {f"s{number}" for number in range(5)}
    assert set(values["item"]) == {f"i{number}" for number in range(7)} == set(values["seen"])


@pytest.mark.parametrize("salt", [None, "0f" * 16])
def test_a_row_to_begin_with_is_valid_where_there_are_no_example_rows(
    all_kinds: RowEncoder, tmp_path: Path, salt: str | None
) -> None:
    manifest = all_kinds.manifest.model_copy(update={"vocabulary_salt": salt})
    row = facts_of(dataclasses.replace(all_kinds, manifest=manifest), tmp_path)["example"]
    assert (row["price"], row["age"], row["at"]) == (0, 0, None)
    assert (row["site"] is None, row["seen"] is None) == (salt is not None, salt is not None)
    found, _ = RequestTypes(all_kinds).read_score(json.dumps({"rows": [row]}).encode())
    assert all_kinds.encode(raw_rows(found, all_kinds.columns)).num_examples == 1

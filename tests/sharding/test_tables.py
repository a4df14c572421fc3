"""Sharded tables give and update the rows of one table, and a training on them takes the steps of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.sharding.process_ranks import needs_torchrec, on_processes
from tests.sharding.trained_steps import take_steps
from tests.training.distributed.shared_training import write_log

from rankelastor.collectives.processes import ALONE

CASES = [("row_wise", 8), ("row_wise", 10), ("table_wise", 4), ("auto", 8), ("column_wise", 8)]
PLANS = ["row_wise", "table_wise"]
TOLERANCE = 2e-6
"""Of losses in fp32: sums over processes and FBGEMM's kernels add numbers in another order."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sharded")
    write_log(folder / "clicks")
    return folder


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, Any]:
    """The twin: one process with the whole table and the same rules; it also prepares the data."""
    return take_steps(ALONE, str(folder), "row_wise")


@pytest.fixture(scope="module")
def ranks(folder: Path, alone: dict[str, Any]) -> list[dict[str, Any]]:
    return on_processes(2, "tests.sharding.trained_steps:all_at_once", str(folder), CASES, PLANS)


@needs_torchrec
@pytest.mark.parametrize("place", range(len(CASES)))
def test_two_processes_update_rows_as_one_table_is_updated(place: int, ranks: list[dict[str, Any]]) -> None:
    plan, _ = CASES[place]
    for rank in ranks:
        found = rank["tables"][place]
        assert found["found_before"]
        assert found["moved"] > 0.1
        if plan != "column_wise":  # has a sum of squares for each half of a row
            assert found["error"] < 1e-6


@needs_torchrec
@pytest.mark.parametrize("place", range(len(PLANS)))
def test_two_processes_have_the_losses_of_one(place: int, ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    for rank in ranks:
        found = rank["steps"][place]
        assert found["held"] == 0  # of the whole table
        assert found["losses"] == pytest.approx(alone["losses"], abs=TOLERANCE)
        assert torch.tensor(found["rows"]).allclose(torch.tensor(alone["rows"]), atol=1e-5)
    assert ranks[0]["steps"][place]["losses"] == ranks[1]["steps"][place]["losses"]

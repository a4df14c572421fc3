"""Sharded tables give and update the rows of one table, and trainings on them are those of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.sharding.process_ranks import needs_torchrec, rank_server
from tests.sharding.trained_steps import take_steps
from tests.sharding.whole_runs import STOP_AFTER, Losses, recipe_of, take_part
from tests.training.distributed.shared_training import write_log

from rankelastor.collectives.processes import ALONE
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.runs.checkpoints import list_checkpoints
from rankelastor.runs.load import load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.interruption import Interruption
from rankelastor.training.run import TrainedRun, train

CASES = [("row_wise", 8), ("row_wise", 10), ("table_wise", 4), ("auto", 8), ("column_wise", 8)]
PLANS = [("row_wise", 6), ("table_wise", 6)]
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
    with rank_server() as server:
        return server.call(2, "tests.sharding.whole_runs:all_at_once", str(folder), CASES, PLANS)


@needs_torchrec
@pytest.mark.parametrize("place", range(len(CASES)))
def test_two_processes_update_rows_as_one_table_is_updated(place: int, ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        found = rank["tables"][place]
        assert found["found_before"]
        assert found["moved"] > 0.1
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


@needs_torchrec
def test_what_sharded_rows_exchange_is_a_stage_of_the_profile(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert rank["stages"] == ["data", "embedding", "network", "loss", "exchange", "optimiser", "other"]
        assert rank["sent"].keys() == {"dense", "rows", "row values", "row gradients", "totals"}


@pytest.fixture(scope="module")
def unbroken(folder: Path) -> tuple[TrainedRun, list[float]]:
    """A run of one process with the same rules, which was never stopped, and its losses."""
    losses = Losses(Interruption(), stop_in=None)
    trained = train(recipe_of(folder, PLANS[0][0]), folder=folder / "alone", observers=[losses])
    return trained, list(losses.found.values())


@needs_torchrec
def test_a_sharded_run_that_was_stopped_ends_in_an_ordinary_run_folder(
    folder: Path, ranks: list[dict[str, Any]], unbroken: tuple[TrainedRun, list[float]]
) -> None:
    trained, losses = unbroken
    assert ranks[0]["losses"] == pytest.approx(losses, abs=TOLERANCE)
    run = RunFolder.open(folder / f"run-{PLANS[0][0]}")
    found = run.result()
    assert found.test == pytest.approx(trained.result.test, abs=2e-5)
    assert found.steps == trained.result.steps == len(losses)
    assert evaluate(run.path, split="test").as_dict() == found.test
    table = load_run(run.path).ranker.embedding.table
    assert torch.allclose(table, trained.ranker.embedding.table, atol=1e-4)
    assert found.processes is not None
    assert found.processes.plan is not None
    assert found.processes.plan["item"] == "row_wise"
    assert found.processes.bytes_per_step.keys() == {"dense", "rows", "row values", "row gradients", "totals"}
    assert found.protocol_differences == trained.result.protocol_differences
    assert "row-wise Adagrad" in found.protocol_differences[0]


@needs_torchrec
def test_one_process_goes_on_from_the_checkpoint_of_two_in_the_middle_of_an_epoch(
    folder: Path, ranks: list[dict[str, Any]], unbroken: tuple[TrainedRun, list[float]]
) -> None:
    del ranks
    stopped = folder / f"stopped-{PLANS[0][0]}"
    (newest, *_) = list_checkpoints(stopped / "checkpoints")
    assert newest.name == f"step-{STOP_AFTER:010d}"
    assert len(list(newest.glob("shard-*.safetensors"))) == 2 * 3  # two processes, three fields with rows
    assert not list(newest.glob("*.metadata"))
    losses = take_part(ALONE, str(folder), PLANS[0][0], str(stopped), stop=False)
    assert list(losses.values()) == pytest.approx(unbroken[1][STOP_AFTER:], abs=TOLERANCE)

"""Sharded trainings that are stopped in the middle of an epoch and go on by another number of processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tests.sharding.process_ranks import RankServer, needs_torchrec, rank_server
from tests.sharding.table_steps import twin
from tests.sharding.whole_runs import STOP_AFTER, take_part
from tests.training.distributed.shared_training import write_log
from torch import Tensor

from rankelastor.collectives.processes import ALONE
from rankelastor.optimisers.rowwise_adagrad import RowwiseAdagrad
from rankelastor.runs.load import load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.sharding.layout import TableLayout
from rankelastor.sharding.plan import divide
from rankelastor.training import updates

pytestmark = [pytest.mark.slow, needs_torchrec]

TOLERANCE = 2e-6
"""Of losses in fp32, in any step; metrics and rows at the end differ by ten times as much at most."""


@dataclass(frozen=True)
class Unbroken:
    """A run of one process that was never stopped."""

    losses: dict[int, float]
    run: Path


@pytest.fixture(scope="module")
def server() -> Iterator[RankServer]:
    with rank_server() as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sharded")
    write_log(folder / "clicks")
    return folder


@pytest.fixture(scope="module")
def unbroken(folder: Path) -> Unbroken:
    """The twin by the same rules, which also prepares the data."""
    return Unbroken(take_part(ALONE, str(folder), "row_wise", str(folder / "alone"), stop=False), folder / "alone")


@pytest.fixture(scope="module")
def stopped(folder: Path, unbroken: Unbroken, server: RankServer) -> dict[tuple[int, str], Path]:
    """Runs that were stopped, by number of processes and plan."""
    found = {}
    for size, plan in [(4, "row_wise"), (4, "table_wise"), (2, "row_wise")]:
        run = folder / f"stopped-{size}-{plan}"
        first, *_ = server.call(size, "tests.sharding.whole_runs:take_part", str(folder), plan, str(run), True)
        assert list(first.values()) == pytest.approx([unbroken.losses[int(step)] for step in first], abs=TOLERANCE)
        assert max(map(int, first)) == STOP_AFTER
        found[size, plan] = run
    return found


def go_on(server: RankServer, size: int, folder: Path, plan: str, run: Path) -> dict[int, float]:
    """Go on by a number of processes; the losses of the steps that were missing."""
    if size == 1:
        return take_part(ALONE, str(folder), plan, str(run), stop=False)
    first, *_ = server.call(size, "tests.sharding.whole_runs:take_part", str(folder), plan, str(run), False)
    return {int(step): loss for step, loss in first.items()}


@pytest.mark.parametrize(
    ("before", "after", "plan"),
    [
        (4, 2, "row_wise"),
        (4, 1, "row_wise"),
        (2, 4, "row_wise"),
        (4, 2, "table_wise"),
        (4, 1, "table_wise"),
    ],
)
def test_the_losses_are_those_of_a_run_that_was_never_stopped(  # noqa: PLR0917 - fixtures
    before: int,
    after: int,
    plan: str,
    folder: Path,
    server: RankServer,
    stopped: dict[tuple[int, str], Path],
    unbroken: Unbroken,
    tmp_path: Path,
) -> None:
    run = shutil.copytree(stopped[before, plan], tmp_path / "run")
    losses = go_on(server, after, folder, plan, run)
    assert min(losses) == STOP_AFTER + 1  # in the middle of the second epoch
    assert losses == pytest.approx({step: unbroken.losses[step] for step in losses}, abs=TOLERANCE)
    assert max(losses) == max(unbroken.losses)
    result, expected = RunFolder.open(run).result(), RunFolder.open(unbroken.run).result()
    assert result.test == pytest.approx(expected.test, abs=10 * TOLERANCE)
    rows, wanted = (load_run(each).ranker.embedding.table for each in (run, unbroken.run))
    assert torch.allclose(rows, wanted, atol=10 * TOLERANCE)


def by_halves(own: updates.Updates) -> RowwiseAdagrad:
    """Make the rule of one process that has two sums of squares for a row, as column-wise plans of two have."""
    layout = TableLayout.of_rows(own._ranker.embedding)
    plans = divide("column_wise", layout, size=2)
    return twin(own._table.detach(), layout, plans, size=2, l2=own._settings.embedding_l2)


def test_columns_of_two_processes_have_the_losses_of_the_rule_by_halves_of_rows(
    folder: Path, server: RankServer, unbroken: Unbroken, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del unbroken  # prepared the data
    with monkeypatch.context() as patched:
        patched.setattr(updates.Updates, "_rowwise_adagrad", by_halves)
        expected = take_part(ALONE, str(folder), "column_wise", str(tmp_path / "alone"), stop=False, dim=8)
    run = str(tmp_path / "run")
    work = "tests.sharding.whole_runs:take_part", str(folder), "column_wise", run
    first, then = (server.call(2, *work, stop, 8)[0] for stop in (True, False))
    losses = {int(step): loss for step, loss in (first | then).items()}
    assert losses == pytest.approx(expected, abs=TOLERANCE)
    rows, wanted = (load_run(tmp_path / each).ranker.embedding.table for each in ("run", "alone"))
    assert torch.allclose(rows, wanted, atol=10 * TOLERANCE)


def restore_means(rule: RowwiseAdagrad, state: Mapping[str, Tensor]) -> None:
    """Take over the mean of the sums of each row."""
    rule._sums.copy_(state["sums"].mean(1))


def test_columns_go_on_by_one_process_with_the_mean_of_their_sums(
    folder: Path, server: RankServer, unbroken: Unbroken, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del unbroken
    run, alone = str(tmp_path / "run"), str(tmp_path / "alone")
    server.call(2, "tests.sharding.whole_runs:take_part", str(folder), "column_wise", run, True, 8)
    with monkeypatch.context() as patched:
        patched.setattr(updates.Updates, "_rowwise_adagrad", by_halves)
        take_part(ALONE, str(folder), "column_wise", alone, stop=True, dim=8)
    losses = take_part(ALONE, str(folder), "column_wise", run, stop=False, dim=8)
    monkeypatch.setattr(RowwiseAdagrad, "restore", restore_means)
    expected = take_part(ALONE, str(folder), "column_wise", alone, stop=False, dim=8)
    assert losses == pytest.approx(expected, abs=TOLERANCE)

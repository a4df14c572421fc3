"""Steps of sharded tables beside those of one table, in each of several processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from tests.sharding.adagrad_by_parts import AdagradByParts
from torch import Tensor

from rankelastor.collectives.process_group import GroupProcesses
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.optimisers.rowwise_adagrad import RowwiseAdagrad
from rankelastor.sharding.layout import TableLayout
from rankelastor.sharding.plan import PlanKind, TablePlan, divide, shown
from rankelastor.sharding.tables import ShardedTables

RATE, L2, STEPS = 0.1, 0.01, 5


def layout_of(dim: int) -> TableLayout:
    embedding = FieldEmbedding(num_ids=[12, 6, 2], num_numeric=1, embedding_dim=dim, num_edges={0: 4})
    return TableLayout.of(embedding, ["item", "site", "flag"])


def tables_of(processes: GroupProcesses, plan: PlanKind, dim: int) -> ShardedTables:
    layout = layout_of(dim)
    plans = divide(plan, layout, size=processes.world.size)
    return ShardedTables(processes, layout, plans, learning_rate=RATE, l2=L2)


def first_rows(layout: TableLayout) -> Tensor:
    """Initial rows, the same in all processes."""
    table = torch.randn(layout.num_rows, layout.dim, generator=torch.Generator().manual_seed(1))
    table[0] = 0
    return table


def twin(whole: Tensor, layout: TableLayout, plans: Sequence[TablePlan], *, size: int, l2: float) -> RowwiseAdagrad:
    """Make the rule of one process that updates a whole table as the plans of several do."""
    if not any(plan.kind == "column_wise" for plan in plans):
        return RowwiseAdagrad(whole, l2=l2)
    one_sum = torch.ones(len(whole), dtype=torch.bool)
    for plan, table in zip(plans, layout.tables, strict=True):
        one_sum[table.start : table.start + table.num_rows] = plan.kind != "column_wise"
    return AdagradByParts(whole, parts=size, whole=one_sum, l2=l2)


def compare(processes: GroupProcesses, cases: Sequence[tuple[PlanKind, int]]) -> list[dict[str, Any]]:
    """Compare each plan and width with one table; the last rank looks up nothing in the last step."""
    return [_compare(processes, plan, dim) for plan, dim in cases]


def _compare(processes: GroupProcesses, plan: PlanKind, dim: int) -> dict[str, Any]:
    tables = tables_of(processes, plan, dim)
    layout, world = tables.layout, processes.world
    whole = first_rows(layout)
    tables.fill(0, whole[:7])
    tables.fill(7, whole[7:])
    rule = twin(whole, layout, tables.plans, size=world.size, l2=L2)
    draws = torch.Generator().manual_seed(2)
    everything = torch.arange(layout.num_rows)
    found_before = torch.equal(tables(everything), whole)
    for step in range(STEPS):
        rate = RATE / (1 + step)
        tables.learning_rate = rate
        rows = torch.randint(layout.num_rows, (4 * world.size, 3), generator=draws)
        weights = torch.randn(4 * world.size, 3, dim, generator=draws)
        own = slice(0, 0) if step == STEPS - 1 and world.rank == world.size - 1 else slice(*world.share(4 * world.size))
        found = tables.look_up(rows[own])
        found.step(found.sum(weights[own].flatten(0, 1)))
        shown_rows = rows if step < STEPS - 1 else rows[: 4 * (world.size - 1)]
        shown_weights = weights[: len(shown_rows)]
        touched = rule.touch(shown_rows.flatten(), learning_rate=rate)
        gradient, _ = rule.gradient(touched, shown_weights.flatten(0, 1))
        rule.step(touched, gradient, learning_rate=rate)
    after = tables(everything[None])[0]
    return {
        "plan": dict(shown(tables.plans, layout)),
        "found_before": found_before,
        "error": float((after - whole).abs().max()),
        "moved": float((whole - first_rows(layout)).abs().max()),
        "bytes": tables.num_bytes,
        "traffic": processes.traffic.num_bytes,
    }

"""How each table is divided among processes."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rankelastor.errors import SettingsError
from rankelastor.sharding.layout import TableLayout
from rankelastor.sharding.quiet import quiet
from rankelastor.sharding.torchrec_parts import torchrec_parts

PlanKind = Literal["auto", "row_wise", "table_wise", "column_wise"]
TABLES = "tables"
"""Name of the collection of tables in the module that TorchRec distributes."""
_NUMBERS_AT_ONCE = 4
"""FBGEMM computes four numbers of a row at a time, so that widths are multiples of it."""


@dataclass(frozen=True)
class TablePlan:
    """How one table is divided.

    Attributes:
        kind: ``row_wise`` over all processes, ``column_wise`` over all, or ``table_wise``, whole in one.
        rank: the process that has a whole table; None otherwise.
    """

    kind: str
    rank: int | None = None


def padded_width(dim: int) -> int:
    """Round the width of a row up to one that FBGEMM takes.

    Example:
        >>> padded_width(8), padded_width(10)
        (8, 12)
    """
    return -(-dim // _NUMBERS_AT_ONCE) * _NUMBERS_AT_ONCE


def check_plan(kind: PlanKind, layout: TableLayout, *, size: int) -> None:
    """Check that tables can be divided so among ``size`` processes.

    Raises:
        SettingsError: there are no rows, fewer rows than processes, or rows that are too narrow to be divided.
    """
    if layout.num_rows - 1 < size:
        what = "have none" if layout.num_rows == 1 else f"have {layout.num_rows - 1}"
        raise SettingsError(
            f"the features must have an embedding row for each of {size} processes with "
            f"training.distributed.embedding=sharded, but {what}; try training.distributed.embedding=replicated"
        )
    unit = size * _NUMBERS_AT_ONCE
    if kind == "column_wise" and layout.dim % unit:
        raise SettingsError(
            f"rows must have a width that is a multiple of {unit} for training.distributed.plan=column_wise with "
            f"{size} processes ({_NUMBERS_AT_ONCE} numbers for each at least), but the model's have {layout.dim}; try "
            f"training.distributed.plan=row_wise, or model.embedding_dim={padded_multiple(layout.dim, unit)}"
        )


def padded_multiple(dim: int, unit: int) -> int:
    """Round a width up to a multiple.

    Example:
        >>> padded_multiple(10, 8)
        16
    """
    return -(-dim // unit) * unit


def divide(kind: PlanKind, layout: TableLayout, *, size: int) -> list[TablePlan]:
    """Choose how each table is divided.

    ``row_wise`` and ``column_wise`` divide each table among all processes, but for tables with fewer rows than
    processes, which stay whole. ``table_wise`` gives the largest tables out first, each to the process with fewest rows
    so far. ``auto`` asks TorchRec's planner, which weighs memory and time; it divides no columns, since row-wise
    Adagrad would then have several sums for a row.

    Args:
        kind: the setting.
        layout: the tables.
        size: number of processes.

    Raises:
        SettingsError: see ``check_plan``; TorchRec is missing, or finds no plan.
    """
    check_plan(kind, layout, size=size)
    sizes = [table.num_rows for table in layout.tables]
    if kind == "auto":
        return _planned(layout, size)
    whole = _whole(sizes, size)
    if kind == "table_wise":
        return whole
    return [TablePlan(kind) if rows >= size else whole[place] for place, rows in enumerate(sizes)]


def _whole(sizes: Sequence[int], size: int) -> list[TablePlan]:
    """Give whole tables to processes, so that these have about as many rows.

    Example:
        >>> [plan.rank for plan in _whole([1, 9, 4, 3], 2)]
        [1, 0, 1, 1]
    """
    held = [(0, rank) for rank in range(size)]
    found: dict[int, TablePlan] = {}
    for table in sorted(range(len(sizes)), key=lambda each: (-sizes[each], each)):
        rows, rank = heapq.heappop(held)
        found[table] = TablePlan("table_wise", rank)
        heapq.heappush(held, (rows + sizes[table], rank))
    return [found[table] for table in range(len(sizes))]


def _planned(layout: TableLayout, size: int) -> list[TablePlan]:
    """Ask TorchRec's planner, which knows memory and speed of usual machines."""
    parts = torchrec_parts()
    collection = collection_of(layout)
    sharder = parts.EmbeddingCollectionSharder()
    kinds = ["row_wise", "table_wise"]
    allowed = {
        name_of(table): parts.ParameterConstraints(
            sharding_types=kinds if rows.num_rows >= size else ["table_wise"], compute_kernels=["fused"]
        )
        for table, rows in enumerate(layout.tables)
    }
    try:
        with quiet("torchrec"):
            planner = parts.EmbeddingShardingPlanner(
                topology=parts.Topology(world_size=size, compute_device="cpu", local_world_size=size),
                constraints=allowed,
                debug=False,
            )
            found = planner.plan(nn.ModuleDict({TABLES: collection}), [sharder]).plan[TABLES]
    except Exception as error:
        raise SettingsError(
            f"TorchRec's planner must find a plan for {layout.num_rows:,} rows on {size} processes, but did not: "
            f"{str(error).strip().splitlines()[0][:160]}; try training.distributed.plan=row_wise"
        ) from error
    return [_plan_of(found[name_of(table)]) for table in range(len(layout.tables))]


def _plan_of(sharding: Any) -> TablePlan:
    kind = str(sharding.sharding_type)
    return TablePlan(kind, int(sharding.ranks[0]) if kind == "table_wise" else None)


def name_of(table: int) -> str:
    """Name a table for TorchRec, whose names are those of modules."""
    return f"t{table}"


def collection_of(layout: TableLayout) -> Any:
    """Make TorchRec's collection of the tables, without values; a feature has the name of its table."""
    parts = torchrec_parts()
    return parts.EmbeddingCollection(
        tables=[
            parts.EmbeddingConfig(
                name=name_of(table),
                num_embeddings=rows.num_rows,
                embedding_dim=padded_width(layout.dim),
                feature_names=[name_of(table)],
                init_fn=_draw_nothing,
            )
            for table, rows in enumerate(layout.tables)
        ],
        device=torch.device("meta"),
    )


def _draw_nothing(rows: Tensor) -> Tensor:
    """Leave initial values to the model, whose generator must give the numbers that it gives one process."""
    return rows


def shown(plans: Sequence[TablePlan], layout: TableLayout) -> Mapping[str, str]:
    """Say of each table how it is divided, by name."""
    return {
        rows.name: plan.kind if plan.rank is None else f"{plan.kind} in process {plan.rank}"
        for rows, plan in zip(layout.tables, plans, strict=True)
    }

"""Tables of embedding rows of which each process holds a part, in TorchRec's collection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor, nn

from rankelastor.collectives.process_group import GroupProcesses
from rankelastor.sharding.layout import TableLayout
from rankelastor.sharding.plan import TABLES, TablePlan, collection_of, name_of, padded_width
from rankelastor.sharding.table_parts import TablePart
from rankelastor.sharding.torchrec_parts import torchrec_parts

EPSILON = 1e-8
"""What row-wise Adagrad adds to the root of its sums."""


@dataclass(frozen=True)
class Shard:
    """The part of a table that this process holds.

    Attributes:
        table: index of the table.
        rows: values, changed in place; their columns behind the width of the embedding are zero.
        sums: sum of squares of each of these rows, in FBGEMM's padded width.
        first_row: place of the first row in the table.
        first_column: first column.
    """

    table: int
    rows: Float[Tensor, "row column"]
    sums: Float[Tensor, " row"]
    first_row: int
    first_column: int


class FoundRows:
    """Rows that a batch of this process looks up, once each.

    Attributes:
        rows: the rows found; the first is padding, and zero.
        position: place in ``rows`` of each look-up, in the shape of the batch.
    """

    def __init__(self, found: Tensor, position: Tensor, dim: int, tables: ShardedTables) -> None:
        self._found = found
        self._tables = tables
        self.position = position
        self.rows = torch.cat([found.new_zeros(1, dim), found.detach()[:, :dim]])

    def sum(self, lookup_gradients: Float[Tensor, "lookup dim"]) -> Float[Tensor, "row dim"]:
        """Sum the gradients of look-ups by row, without that of padding."""
        sums = torch.zeros_like(self.rows)
        sums.index_add_(0, self.position.flatten(), lookup_gradients)
        return sums[1:]

    def step(self, gradient: Float[Tensor, "row dim"]) -> None:
        """Update the rows where they lie, by the gradients of all processes for them; all must call it together."""
        padded = torch.zeros_like(self._found)
        padded[:, : gradient.shape[1]] = gradient
        # TorchRec takes the mean over processes of gradients that belong to shares of one batch; their sum is wanted.
        self._tables.update(self._found, padded.mul_(self._tables.processes.world.size))


class ShardedTables:
    """The rows of an embedding, of which each process holds a part.

    They lie in TorchRec's ``EmbeddingCollection`` under ``DistributedModelParallel``; FBGEMM updates them by row-wise
    Adagrad in the backward pass, see ``optimisers/rowwise_adagrad.py`` for the rule. A width that is no multiple of
    four is padded with zeros, and rate and epsilon are scaled so that the mean of squares is that of the real width.

    Args:
        processes: the processes; all must call the same methods in the same order.
        layout: the tables.
        plans: how each is divided.
        learning_rate: that of the rows.
        l2: lambda of the penalty (lambda / 2) * sum of squares of the rows that a batch looks up.

    Raises:
        SettingsError: TorchRec is missing.
    """

    def __init__(
        self,
        processes: GroupProcesses,
        layout: TableLayout,
        plans: Sequence[TablePlan],
        *,
        learning_rate: float,
        l2: float = 0.0,
    ) -> None:
        self.processes = processes
        self.layout = layout
        self.plans = list(plans)
        self.scale = (layout.dim / padded_width(layout.dim)) ** 0.5
        """Root of the share of a padded row that is the embedding's."""
        self._model = self._distribute(learning_rate, l2)
        self._collection = self._model.module[TABLES]
        self._optimiser = self._model.fused_optimizer
        self.shards = list(self._own_shards())
        for shard in self.shards:
            shard.rows.zero_()
        self.learning_rate = learning_rate

    def _distribute(self, learning_rate: float, l2: float) -> Any:
        parts, size = torchrec_parts(), self.processes.world.size
        collection = collection_of(self.layout)
        settings = {"lr": learning_rate * self.scale, "eps": EPSILON * self.scale, "weight_decay": l2}
        parts.apply_in_backward(parts.RowWiseAdagrad, collection.parameters(), settings)
        sharder = parts.EmbeddingCollectionSharder(fused_params={"weight_decay_mode": parts.WeightDecayMode.L2})
        divided = {
            name_of(table): _sharding(plan, self.layout, size=size, parts=parts)
            for table, plan in enumerate(self.plans)
        }
        plan = parts.construct_module_sharding_plan(
            collection, divided, sharder=sharder, local_size=size, world_size=size, device_type="cpu"
        )
        return parts.DistributedModelParallel(
            nn.ModuleDict({TABLES: collection}),
            env=parts.ShardingEnv.from_process_group(self.processes.group),
            device=torch.device("cpu"),
            plan=parts.ShardingPlan({TABLES: plan}),
            sharders=[sharder],
            init_data_parallel=False,
        )

    def _own_shards(self) -> Iterator[Shard]:
        weights = self._model.state_dict()
        sums = self._optimiser.state_dict()["state"]
        for table in range(len(self.layout.tables)):
            key = f"{TABLES}.embeddings.{name_of(table)}.weight"
            if key not in sums:
                continue
            state = sums[key][f"{name_of(table)}.momentum1"]
            for rows, squares in zip(weights[key].local_shards(), state.local_shards(), strict=True):
                first_row, first_column = rows.metadata.shard_offsets
                yield Shard(table, rows.tensor.detach(), squares.tensor, first_row, first_column)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the rows at the next step."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate * self.scale
        self._optimiser.step()  # hands the rate to FBGEMM, and updates nothing

    @property
    def num_bytes(self) -> int:
        """Size of what this process holds."""
        return sum(shard.rows.nbytes + shard.sums.nbytes for shard in self.shards)

    def look_up(self, rows: Integer[Tensor, "*batch"]) -> FoundRows:
        """Look up the rows of this process's share of a batch, to update them later; all must call it together."""
        unique, position = torch.unique(rows.flatten().long(), return_inverse=True)
        has_padding = int(len(unique) > 0 and int(unique[0]) == 0)
        found = self._find(unique[has_padding:], kinds=("rows", "row values"))
        return FoundRows(found, (position + 1 - has_padding).view(rows.shape), self.layout.dim, self)

    @torch.no_grad()
    def __call__(self, rows: Integer[Tensor, "*batch"]) -> Float[Tensor, "*batch dim"]:
        """Look rows up, without gradient; all processes must call it together."""
        with torch.inference_mode(mode=False):
            unique, position = torch.unique(rows.flatten().long(), return_inverse=True)
            has_padding = int(len(unique) > 0 and int(unique[0]) == 0)
            found = self._find(unique[has_padding:], kinds=("scored rows", "scored row values"))
            found = found.detach()[:, : self.layout.dim]
            table = torch.cat([found.new_zeros(1, self.layout.dim), found])
            return table[position + 1 - has_padding].view(*rows.shape, self.layout.dim)

    def _find(self, rows: Int64[Tensor, " row"], *, kinds: tuple[str, str]) -> Float[Tensor, "row width"]:
        """Look up rows in order, without padding, in the padded width."""
        counts = self.layout.counts(rows)
        names = [name_of(table) for table in range(len(self.layout.tables))]
        asked = torchrec_parts().KeyedJaggedTensor(
            keys=names, values=self.layout.places(rows, counts), lengths=counts.to(torch.int32)
        )
        with self.processes.exchange(kinds[0], rows.nbytes + counts.nbytes // 2):
            answered = self._collection(asked).wait()
            found = torch.cat([answered[name].values() for name in names])
        self.processes.traffic.add(kinds[1], found.nbytes, 0.0)
        return found

    def update(self, found: Float[Tensor, "row width"], gradient: Float[Tensor, "row width"]) -> None:
        """Update the rows that ``look_up`` found."""
        with self.processes.exchange("row gradients", gradient.nbytes):
            torch.autograd.backward(found, gradient)

    @torch.no_grad()
    def fill(self, first: int, rows: Float[Tensor, "row dim"]) -> None:
        """Overwrite the rows from ``first`` on, of which this process keeps its own."""
        for table, start, stop in self.layout.overlaps(first, len(rows)):
            places = self.layout.tables[table].places(torch.arange(start, stop))
            values = rows[start - first : stop - first]
            for shard in self.shards:
                if shard.table == table:
                    _put(shard, places, values)

    @torch.no_grad()
    def fill_sums(self, sums: Float[Tensor, " row"]) -> None:
        """Overwrite the sums of squares of all rows, of which this process keeps its own."""
        for shard in self.shards:
            table = self.layout.tables[shard.table]
            rows = torch.arange(table.start, table.start + table.num_rows)
            own = table.places(rows) - shard.first_row
            is_own = (own >= 0) & (own < len(shard.sums))
            shard.sums[own[is_own]] = sums[rows[is_own]] * self.scale**2

    @torch.no_grad()
    def write(self, folder: Path) -> None:
        """Write a checkpoint of all processes into a folder that all of them reach; all must call it together."""
        from rankelastor.sharding.checkpoint import write_tables  # noqa: PLC0415 - takes a second

        write_tables(folder, self.layout, self._parts(), group=self.processes.group)

    @torch.no_grad()
    def read(self, folder: Path) -> None:
        """Read what any number of processes wrote; all must call it together.

        Raises:
            RunError: the tables are those of another model.
        """
        from rankelastor.sharding.checkpoint import read_tables  # noqa: PLC0415 - takes a second

        parts = self._parts()
        read_tables(folder, self.layout, parts, group=self.processes.group)
        for shard, part in zip(self.shards, parts, strict=True):
            shard.sums.copy_(part.sums * self.scale**2)

    def _parts(self) -> list[TablePart]:
        """Describe the shards in the width of the embedding: rows as they lie, sums copied."""
        width = padded_width(self.layout.dim)
        parts = []
        for shard in self.shards:
            columns = min(shard.rows.shape[1], self.layout.dim - shard.first_column)
            parts.append(
                TablePart(
                    table=shard.table,
                    rows=shard.rows[:, :columns],
                    sums=shard.sums / self.scale**2,
                    first_row=shard.first_row,
                    first_column=shard.first_column,
                    sum_index=shard.first_column // shard.rows.shape[1],
                    num_sums=width // shard.rows.shape[1],
                )
            )
        return parts


def _put(shard: Shard, places: Tensor, values: Tensor) -> None:
    """Copy values into the places that a shard holds."""
    own = places - shard.first_row
    is_own = (own >= 0) & (own < len(shard.rows))
    width = min(shard.rows.shape[1], values.shape[1] - shard.first_column)
    columns = slice(shard.first_column, shard.first_column + width)
    shard.rows[own[is_own], :width] = values[is_own, columns].to(shard.rows.dtype)


def _sharding(plan: TablePlan, layout: TableLayout, *, size: int, parts: Any) -> Any:
    """Make what TorchRec divides one table by."""
    if plan.kind == "table_wise":
        return parts.table_wise(rank=plan.rank, compute_kernel="fused")
    if plan.kind == "column_wise":
        return parts.column_wise(size_per_rank=[layout.dim // size] * size, compute_kernel="fused")
    return parts.row_wise(compute_kernel="fused")

"""The embedding of fields on CUDA: rows are looked up by one kernel, and their gradient is summed by another."""

from __future__ import annotations

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.schema import Batch


@lowers(FieldEmbedding, device="cuda")
def field_embedding(layer: FieldEmbedding, _context: Context) -> Operation | None:
    """Lower the embedding of fields."""
    return FieldEmbeddingOperation(layer)


class FieldEmbeddingOperation:
    """assemble(look_up(rows_of(batch)), batch)."""

    def __init__(self, layer: FieldEmbedding) -> None:
        self._layer = layer

    def __call__(self, batch: Batch) -> Embedded:
        """Embed a batch."""
        layer = self._layer
        return layer.assemble(self._look_up(layer.rows_of(batch)), batch)

    def _look_up(self, rows: Integer[Tensor, "batch column"]) -> Float[Tensor, "batch column dim"]:
        table = self._layer.table
        is_table = self._layer.elsewhere is None and table.dtype == torch.float32 and table.numel() > 0
        if not is_table or rows.numel() == 0:
            return self._layer.look_up(rows)
        from rankelastor.execution.cuda_kernels.look_up import look_up  # noqa: PLC0415 - needs Triton

        return look_up(table, rows)

"""The embedding of fields as it is lowered for CUDA gives what the plain layer gives, with all its kinds of fields."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.execution.cuda_kernels.device import DEVICE
from torch import Tensor, nn

from rankelastor.execution.cuda_kernels import look_up as kernels
from rankelastor.execution.lowering import Lowering
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.schema import Batch

EMBEDDINGS: dict[str, Callable[[], FieldEmbedding]] = {
    "ids and numbers": lambda: FieldEmbedding(num_ids=[5, 9], num_numeric=2, embedding_dim=6),
    "a sequence that shares rows": lambda: FieldEmbedding(
        num_ids=[5, 9, 5], num_numeric=2, embedding_dim=6, max_lengths=[3], shares={2: 0}
    ),
    "positions among edges": lambda: FieldEmbedding(num_ids=[5, 9], num_numeric=2, embedding_dim=6, num_edges={1: 4}),
}
each_embedding = pytest.mark.parametrize("make", EMBEDDINGS.values(), ids=EMBEDDINGS)


def moved(make: Callable[[], FieldEmbedding]) -> FieldEmbedding:
    torch.manual_seed(1)
    embedding = make()
    nn.init.normal_(embedding.table.data[1:])
    return embedding.to(DEVICE)


def batch_for(embedding: FieldEmbedding, count: int = 20) -> Batch:
    generator = torch.Generator().manual_seed(2)
    num_positions = sum(embedding.max_lengths)
    return Batch(
        categorical=torch.randint(5, (count, 2), generator=generator),
        numeric=torch.rand(count, 2, generator=generator) * 3,
        labels=None,
        group=None,
        sequence=torch.randint(5, (count, num_positions), generator=generator) if num_positions else None,
    ).to(DEVICE)


def lowered(embedding: FieldEmbedding) -> Callable[[Batch], Embedded]:
    return Lowering(embedding, device="cuda").current()


@each_embedding
def test_fields_and_gradients_are_those_of_the_plain_layer(make: Callable[[], FieldEmbedding]) -> None:
    embedding = moved(make)
    batch = batch_for(embedding)
    results = []
    for embed in (lowered(embedding), embedding):
        embedded = embed(batch)
        upstream = torch.linspace(-1, 1, embedded.fields.numel(), device=DEVICE).view_as(embedded.fields)
        gradients = torch.autograd.grad(embedded.fields, list(embedding.parameters()), upstream, allow_unused=True)
        results.append((embedded, gradients))
    (ours, our_gradients), (plain, plain_gradients) = results
    assert torch.equal(ours.fields, plain.fields)
    assert len(ours.sequences) == len(plain.sequences)
    for mine, theirs in zip(our_gradients, plain_gradients, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-5)


@each_embedding
def test_the_kernel_looks_all_rows_up_at_once(
    make: Callable[[], FieldEmbedding], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[torch.Size] = []
    look_up = kernels.look_up

    def counted(table: Tensor, rows: Tensor) -> Tensor:
        called.append(rows.shape)
        return look_up(table, rows)

    monkeypatch.setattr(kernels, "look_up", counted)
    embedding = moved(make)
    lowered(embedding)(batch_for(embedding))
    assert called == [(20, embedding.num_columns)]


@pytest.mark.parametrize("change", ["float64", "no rows", "no examples"])
def test_what_the_kernel_does_not_compute_is_left_to_pytorch(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "look_up", lambda _table, _rows: pytest.fail("the kernel was called"))
    embedding = moved(EMBEDDINGS["ids and numbers"])
    batch = batch_for(embedding, count=0 if change == "no examples" else 20)
    if change == "float64":
        embedding = embedding.double()
    if change == "no rows":
        embedding = FieldEmbedding(num_ids=[], num_numeric=2, embedding_dim=6).to(DEVICE)
        batch = Batch(categorical=batch.categorical[:, :0], numeric=batch.numeric, labels=None, group=None)
    assert torch.equal(lowered(embedding)(batch).fields, embedding(batch).fields)


def test_a_hook_on_the_embedding_is_called() -> None:
    embedding, heard = moved(EMBEDDINGS["ids and numbers"]), []
    embedding.register_forward_hook(lambda _layer, _inputs, output: heard.append(output.fields.shape))
    lowered(embedding)(batch_for(embedding))
    assert heard == [(20, 4, 6)]

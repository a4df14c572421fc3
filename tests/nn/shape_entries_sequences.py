"""Entries of the layers of sequences and of tasks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from tests.nn.shape_entries import Entry, Shape, of_fields, of_tokens
from torch import nn

from rankelastor.nn.dice import Dice
from rankelastor.nn.embedding.embedded import EmbeddedSequence
from rankelastor.nn.sequence.encoder import SequenceEncoder
from rankelastor.nn.sequence.hstu import HstuEncoder, HstuLayer
from rankelastor.nn.sequence.target_attention import TargetAttention
from rankelastor.nn.sequence.transformer import TransformerEncoder, TransformerLayer
from rankelastor.nn.sequence.unchanged import UnchangedElements
from rankelastor.nn.tasks.gate import ExpertGate
from rankelastor.nn.tasks.ple import ExpertLayer, ExtractionGates
from rankelastor.nn.tasks.product import TaskProduct
from rankelastor.nn.tasks.towers import TaskTowers
from rankelastor.nn.tokenizer.reshape import ReshapeTokenizer
from rankelastor.nn.tokenizer.with_sequences import WithSequenceTokens

MASK = torch.tensor([[False, True, True], [True, True, True]])


def of_elements(make: Callable[[], nn.Module], *, out: Shape) -> Entry:
    """A sequence layer of elements (2, 3, 6), with their mask and a target."""
    ranks, sizes = ((3, 6), (2, 18), (1, 2, 3, 6)), ((2, 4, 6), (2, 3, 5), (3, 3, 6))
    return Entry(make, (2, 3, 6), out, ranks, sizes, lambda layer, x: layer(x, MASK, torch.ones(2, 6)))


def of_places(make: Callable[[], nn.Module]) -> Entry:
    """A layer inside a sequence layer, of places (2, 3, 6) and their mask."""
    ranks, sizes = ((3, 6), (2, 18), (1, 2, 3, 6)), ((2, 4, 6), (2, 3, 5), (3, 3, 6))
    return Entry(make, (2, 3, 6), (2, 3, 6), ranks, sizes, lambda layer, x: layer(x, MASK))


def of_rows(make: Callable[[], nn.Module], *, out: Shape) -> Entry:
    """A layer of one vector an example (2, 6)."""
    return Entry(make, (2, 6), out, ((6,), (1, 2, 6)), ((2, 5), (2, 1)))


def encode(layer: nn.Module, target: torch.Tensor) -> torch.Tensor:
    encoded: torch.Tensor = layer(EmbeddedSequence(torch.ones(2, 3, 6), MASK), target)
    return encoded


def mix_by_task(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    experts = [torch.ones(2, 1, 5), torch.ones(2, 1, 5), torch.ones(2, 2, 5)]
    mixed: torch.Tensor = layer([x, x, x], experts)
    return mixed


def with_sequences() -> WithSequenceTokens:
    fields = ReshapeTokenizer(num_fields=2, embedding_dim=6, num_tokens=2, token_dim=6)
    return WithSequenceTokens(fields, num_elements=2, embedding_dim=6, token_dim=6)


SEQUENCES: dict[type[nn.Module], Entry] = {
    Dice: of_rows(lambda: Dice(6), out=(2, 6)),
    UnchangedElements: of_elements(UnchangedElements, out=(2, 3, 6)),
    TargetAttention: of_elements(lambda: TargetAttention(embedding_dim=6), out=(2, 3, 6)),
    TransformerEncoder: of_elements(lambda: TransformerEncoder(embedding_dim=6), out=(2, 4, 6)),
    TransformerLayer: of_places(lambda: TransformerLayer(dim=6, num_heads=2, ffn_dim=8, dropout=0.0)),
    HstuEncoder: of_elements(lambda: HstuEncoder(embedding_dim=6, max_length=3), out=(2, 4, 6)),
    HstuLayer: of_places(lambda: HstuLayer(dim=6, num_places=3)),
    SequenceEncoder: Entry(
        lambda: SequenceEncoder(TargetAttention(embedding_dim=6), embedding_dim=6, max_length=3),
        (2, 6),
        (2, 6),
        ((6,), (1, 2, 6)),
        ((2, 5), (2, 1), (3, 6)),
        encode,
    ),
    WithSequenceTokens: of_fields(with_sequences, out=(2, 4, 6)),
}
"""For each layer of sequences that takes a tensor of numbers."""

TASKS: dict[type[nn.Module], Entry] = {
    ExpertGate: Entry(
        lambda: ExpertGate(in_dim=6, num_experts=3),
        (2, 6),
        (2, 5),
        ((6,), (1, 2, 6)),
        ((2, 5), (2, 1), (3, 6)),
        lambda layer, x: layer(x, torch.ones(2, 3, 5)),
    ),
    ExtractionGates: Entry(
        lambda: ExtractionGates(in_dim=6, num_tasks=2, num_own=1, num_shared=2, is_last=False),
        (2, 6),
        (2, 3, 5),
        ((6,), (1, 2, 6)),
        ((2, 5), (2, 1), (3, 6)),
        mix_by_task,
    ),
    ExpertLayer: of_rows(lambda: ExpertLayer(num_experts=2, dim=6), out=(2, 2, 6)),
    TaskProduct: Entry(lambda: TaskProduct({1: 0}), (2, 2), (2, 2), ((2,),), ()),
    TaskTowers: of_tokens(lambda: TaskTowers(num_tasks=3, in_dim=6, hidden_dims=[8]), out=(2, 3)),
}
"""For each layer of tasks that takes a tensor of numbers."""

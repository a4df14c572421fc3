import torch

from rankelastor.nn.embedding.embedded import Embedded, EmbeddedSequence


def test_there_are_no_sequences_unless_they_are_given() -> None:
    assert Embedded(torch.zeros(2, 3, 4)).sequences == ()


def test_what_is_handed_over_is_a_tuple_that_pytorch_can_move_and_trace() -> None:
    sequence = EmbeddedSequence(torch.ones(2, 5, 4), torch.ones(2, 5, dtype=torch.bool))
    leaves, _ = torch.utils._pytree.tree_flatten(Embedded(torch.zeros(2, 3, 4), (sequence,)))
    assert [tuple(leaf.shape) for leaf in leaves if leaf is not None] == [(2, 3, 4), (2, 5, 4), (2, 5)]

import torch

from rankelastor.nn.embedding.embedded import EmbeddedSequence
from rankelastor.nn.sequence.encoder import SequenceEncoder
from rankelastor.nn.sequence.pooling import masked_mean
from rankelastor.nn.sequence.target_attention import TargetAttention
from rankelastor.nn.sequence.unchanged import UnchangedElements

MASK = torch.tensor([[False, True, True], [False, False, False]])
SEQUENCE = EmbeddedSequence(torch.randn(2, 3, 4) * MASK.unsqueeze(2), MASK)
TARGET = torch.randn(2, 4)


def test_unchanged_elements_are_the_mean() -> None:
    encoder = SequenceEncoder(UnchangedElements(), embedding_dim=4, max_length=3)
    torch.testing.assert_close(encoder(SEQUENCE, TARGET), masked_mean(*SEQUENCE))


def test_positions_count_from_the_newest_element_and_leave_padding_alone() -> None:
    encoder = SequenceEncoder(UnchangedElements(), embedding_dim=4, max_length=2, output="tokens", positions=True)
    assert encoder.positions is not None
    with torch.no_grad():
        encoder.positions.copy_(torch.tensor([[1.0] * 4, [2.0] * 4]))
    tokens = encoder(SEQUENCE, TARGET)
    torch.testing.assert_close(tokens[0], SEQUENCE.elements[0, 1:] + torch.tensor([[1.0], [2.0]]))
    assert not tokens[1].any()


def test_gaps_are_added_to_the_elements() -> None:
    gaps = EmbeddedSequence(torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.bool))
    encoder = SequenceEncoder(UnchangedElements(), embedding_dim=4, max_length=3)
    expected = masked_mean(*SEQUENCE) + MASK.any(dim=1, keepdim=True)
    torch.testing.assert_close(encoder(SEQUENCE, TARGET, gaps), expected)


def test_the_vector_of_target_attention_is_the_sum_of_its_tokens() -> None:
    layer = TargetAttention(embedding_dim=4, activation="prelu")
    vector = SequenceEncoder(layer, embedding_dim=4, max_length=3)(SEQUENCE, TARGET)
    tokens = SequenceEncoder(layer, embedding_dim=4, max_length=3, output="tokens")(SEQUENCE, TARGET)
    torch.testing.assert_close(tokens.sum(dim=1), vector)

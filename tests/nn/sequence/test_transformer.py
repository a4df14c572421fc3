import pytest
import torch
from tests.nn.sequence.loops import examples, scattered, transformer

from rankelastor.nn.sequence.transformer import TransformerEncoder
from rankelastor.nn.sizes import SizesDoNotFit


def test_it_is_the_loop_over_places() -> None:
    encoder = scattered(TransformerEncoder(embedding_dim=4, num_layers=2, num_heads=2, ffn_dim=5))
    elements, mask, target = examples()
    encoded = encoder(elements, mask, target)
    for example in range(len(target)):
        given = elements[example].tolist(), mask[example].tolist(), target[example].tolist()
        expected = torch.tensor(transformer(encoder, *given), dtype=torch.float64)
        real = [*given[1], True]
        torch.testing.assert_close(encoded[example][real], expected[real])


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(SizesDoNotFit, match=r"sequence\.num_heads must divide the width of an embedding = 4 .* 3 was"):
        TransformerEncoder(embedding_dim=4, num_layers=2, num_heads=3, ffn_dim=5)

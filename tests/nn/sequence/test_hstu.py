import pytest
import torch
from tests.nn.sequence.loops import examples, hstu, scattered

from rankelastor.nn.sequence.hstu import HstuEncoder
from rankelastor.nn.sizes import SizesDoNotFit


def test_it_is_the_loop_over_places() -> None:
    encoder = scattered(HstuEncoder(embedding_dim=4, max_length=3, num_layers=2, num_heads=2, scale=True))
    elements, mask, target = examples()
    encoded = encoder(elements, mask, target)
    for example in range(len(target)):
        given = elements[example].tolist(), mask[example].tolist(), target[example].tolist()
        expected = torch.tensor(hstu(encoder, *given), dtype=torch.float64)
        real = [*given[1], True]
        torch.testing.assert_close(encoded[example][real], expected[real])


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(SizesDoNotFit, match=r"sequence\.num_heads must divide the width of an embedding = 4 .* 3 was"):
        HstuEncoder(embedding_dim=4, max_length=3, num_layers=2, num_heads=3, scale=True)

from functools import partial
from typing import Any

import pytest
import torch

from rankelastor.nn.projection import Projection
from rankelastor.nn.tokenizer.split import SplitTokenizer

SIZES: dict[str, Any] = {"num_fields": 6, "embedding_dim": 4, "num_tokens": 3, "token_dim": 5}


def test_split_tokens_depend_on_their_own_part_up_to_the_shared_norm() -> None:
    tokenizer = SplitTokenizer(**SIZES, projection=partial(Projection, hidden_dims=[7])).eval()
    embeddings = torch.randn(2, 6, 4)
    swapped = embeddings[:, [2, 3, 0, 1, 4, 5]]
    before, after = tokenizer(embeddings), tokenizer(swapped)
    assert torch.allclose(after[:, 0], before[:, 1], atol=1e-6)
    assert torch.allclose(after[:, 2], before[:, 2], atol=1e-6)


def test_split_parts_share_one_map() -> None:
    tokenizer = SplitTokenizer(**SIZES)
    assert [tuple(parameter.shape) for parameter in tokenizer.mlp.parameters()] == [(5, 8), (5,)]


def test_split_needs_parts_of_equal_size() -> None:
    with pytest.raises(ValueError, match=r"num_tokens must divide field \* embedding_dim = 24 .* but 5 was given; try"):
        SplitTokenizer(num_fields=6, embedding_dim=4, num_tokens=5, token_dim=5)

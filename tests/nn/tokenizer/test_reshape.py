from typing import Any

import pytest
import torch

from rankelastor.nn.tokenizer.reshape import ReshapeTokenizer

SIZES: dict[str, Any] = {"num_fields": 6, "embedding_dim": 4, "num_tokens": 3, "token_dim": 5}


def test_reshape_only_norms() -> None:
    tokenizer = ReshapeTokenizer(num_fields=6, embedding_dim=4, num_tokens=3, token_dim=8)
    embeddings = torch.randn(2, 6, 4)
    tokens = tokenizer(embeddings)
    scale = embeddings.flatten(1).pow(2).mean(1).sqrt()
    assert torch.allclose(tokens.flatten(1), embeddings.flatten(1) / scale[:, None], atol=1e-5)


def test_reshape_needs_equal_sizes() -> None:
    with pytest.raises(ValueError, match=r"6 \* 4 and 3 \* 5 were given; try num_tokens=6, token_dim=4"):
        ReshapeTokenizer(**SIZES)

from typing import Any

import torch

from rankelastor.nn.tokenizer.joint import JointTokenizer

SIZES: dict[str, Any] = {"num_fields": 6, "embedding_dim": 4, "num_tokens": 3, "token_dim": 5}


def test_joint_tokens_see_all_fields() -> None:
    tokenizer = JointTokenizer(**SIZES)
    embeddings = torch.randn(1, 6, 4, requires_grad=True)
    tokenizer(embeddings)[0, 0].sum().backward()
    assert embeddings.grad is not None
    assert (embeddings.grad.abs().sum(dim=2) > 0).all()

import torch
from torch import nn

from rankelastor.nn.block import Block


def test_the_residual_is_the_normed_value() -> None:
    tokens = torch.randn(2, 3, 4)
    normed = tokens / tokens.pow(2).mean(-1, keepdim=True).sqrt()
    assert torch.allclose(Block(mixing=nn.Identity(), ffn=nn.Identity(), token_dim=4)(tokens), 2 * normed, atol=1e-6)

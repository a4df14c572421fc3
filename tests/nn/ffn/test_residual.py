import torch
from torch import nn

from rankelastor.nn.ffn.residual import ResidualFfn


def test_the_residual_is_added() -> None:
    tokens = torch.randn(2, 3, 4)
    assert torch.equal(ResidualFfn(nn.Identity())(tokens), 2 * tokens)


def test_the_ffn_gets_the_tokens_once() -> None:
    calls: list[torch.Size] = []
    ffn = nn.Identity()
    ffn.register_forward_hook(lambda _module, inputs, _output: calls.append(inputs[0].shape))
    ResidualFfn(ffn)(torch.ones(2, 3, 4))
    assert calls == [torch.Size([2, 3, 4])]

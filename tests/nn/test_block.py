import torch
from torch import Tensor, nn

from rankelastor.nn.block import Block
from rankelastor.nn.ffn.mlp import PerTokenMlp
from rankelastor.nn.mixing.full import FullMixing


def test_the_residual_is_the_normed_value() -> None:
    tokens = torch.randn(2, 3, 4)
    normed = tokens / tokens.pow(2).mean(-1, keepdim=True).sqrt()
    assert torch.allclose(Block(mixing=nn.Identity(), ffn=nn.Identity(), token_dim=4)(tokens), 2 * normed, atol=1e-6)


class Times(nn.Module):
    """Multiply by a number, and note that it was its turn."""

    def __init__(self, factor: float, turns: list[float]) -> None:
        super().__init__()
        self.factor, self.turns = factor, turns

    def forward(self, tokens: Tensor) -> Tensor:
        self.turns.append(self.factor)
        return tokens * self.factor


def test_tokens_are_mixed_then_normed_then_put_through_the_ffn_by_hand() -> None:
    turns: list[float] = []
    block = Block(mixing=Times(5.0, turns), ffn=Times(3.0, turns), token_dim=2)
    block.norm.weight.data = torch.tensor([1.0, 2.0])
    # 5 * (1.4, .2) = (7, 1) has the root mean square 5: n = (1.4, .4), and n + 3n
    torch.testing.assert_close(block(torch.tensor([[[1.4, 0.2]]])), torch.tensor([[[5.6, 1.6]]]))
    assert turns == [5.0, 3.0]


def test_a_block_is_the_formula_of_its_parts() -> None:
    mixing = FullMixing(num_tokens=3, token_dim=4)
    ffn = PerTokenMlp(num_tokens=3, token_dim=4, hidden_dims=[8])
    block, tokens = Block(mixing=mixing, ffn=ffn, token_dim=4), torch.randn(2, 3, 4)
    normed = block.norm(mixing(tokens))
    assert torch.equal(block(tokens), normed + ffn(normed))

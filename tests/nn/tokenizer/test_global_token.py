import torch
from torch import nn

from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.tokenizer.global_token import CrossToken, FmToken, GlobalTokenFirst, MlpToken


def test_the_products_of_all_pairs_by_hand() -> None:
    token = FmToken(embedding_dim=1, token_dim=1)
    token.out.weight.data.fill_(1.0)
    assert token(torch.tensor([[[1.0], [2.0], [3.0]]])).tolist() == [[1 * 2 + 1 * 3 + 2 * 3]]


def test_a_cross_layer_by_hand() -> None:
    token = CrossToken(num_fields=2, embedding_dim=1, token_dim=1, num_layers=1)
    (layer,) = token.cross.layers
    layer.get_parameter("linear.weight").data = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    token.out.weight.data.fill_(1.0)
    assert token(torch.tensor([[[2.0], [3.0]]])).tolist() == [[2 * 3 + 2 + 3 * 2 + 3]]


def test_the_global_token_comes_first_and_sees_every_field() -> None:
    first = MlpToken(num_fields=3, embedding_dim=2, token_dim=2)
    tokenizer = GlobalTokenFirst(first=first, norm=RMSNorm(6), others=nn.Identity())
    fields = torch.randn(4, 3, 2)
    tokens = tokenizer(fields)
    torch.testing.assert_close(tokens[:, 0], first(RMSNorm(6)(fields.flatten(1)).view(4, 3, 2)))
    assert torch.equal(tokens[:, 1:], fields)

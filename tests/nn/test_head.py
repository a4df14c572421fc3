import torch

from rankelastor.nn.head import LinearHead, MeanHead, MlpHead


def test_the_mlp_head_by_hand() -> None:
    head = MlpHead(num_tokens=1, token_dim=2)
    first, last = head.mlp[0], head.mlp[2]
    first.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    last.weight.data = torch.tensor([[1.0, 10.0, 100.0, 1000.0]])
    assert head(torch.tensor([[[2.0, -3.0]]])).item() == 2 + 3000


def test_the_linear_head_flattens_row_by_row() -> None:
    head = LinearHead(num_tokens=2, token_dim=2)
    head.linear.weight.data = torch.tensor([[1.0, 10.0, 100.0, 1000.0]])
    assert head(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])).item() == 4321


def test_the_mean_head_has_no_parameters() -> None:
    assert list(MeanHead().parameters()) == []
    assert MeanHead()(torch.tensor([[[1.0, 2.0], [3.0, 6.0]]])).tolist() == [3.0]

import pytest
import torch
from tests.nn.gradients import require_exact_gradients

from rankelastor.nn.head import LinearHead, MeanHead, MlpHead


def test_the_mlp_head_by_hand() -> None:
    head = MlpHead(num_tokens=1, token_dim=2)
    head.hidden.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    head.out.weight.data = torch.tensor([[1.0, 10.0, 100.0, 1000.0]])
    assert head(torch.tensor([[[2.0, -3.0]]])).item() == 2 + 3000


def test_the_mlp_head_adds_its_biases_before_and_behind_the_relu() -> None:
    head = MlpHead(num_tokens=1, token_dim=1)
    head.hidden.weight.data = torch.tensor([[1.0], [1.0]])
    head.hidden.bias.data = torch.tensor([1.0, -9.0])
    head.out.weight.data = torch.tensor([[10.0, 1.0]])
    head.out.bias.data = torch.tensor([0.5])
    assert head(torch.tensor([[[2.0]]])).item() == 30.5  # (2 + 1) * 10 + .5; 2 - 9 is cut off


def test_the_linear_head_flattens_row_by_row() -> None:
    head = LinearHead(num_tokens=2, token_dim=2)
    head.linear.weight.data = torch.tensor([[1.0, 10.0, 100.0, 1000.0]])
    assert head(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])).item() == 4321


def test_the_mean_head_has_no_parameters() -> None:
    assert list(MeanHead().parameters()) == []
    assert MeanHead()(torch.tensor([[[1.0, 2.0], [3.0, 6.0]]])).tolist() == [[3.0]]


def test_each_task_has_a_logit_of_its_own_and_the_mean_head_the_same_for_all() -> None:
    tokens = torch.randn(5, 2, 3)
    mlp, line = MlpHead(num_tokens=2, token_dim=3, num_tasks=3), LinearHead(num_tokens=2, token_dim=3, num_tasks=3)
    assert mlp(tokens).shape == line(tokens).shape == (5, 3)
    assert not torch.allclose(mlp(tokens)[:, 0], mlp(tokens)[:, 1])
    for task in range(3):
        torch.testing.assert_close(
            line(tokens)[:, task], tokens.flatten(1) @ line.linear.weight[task] + line.linear.bias[task]
        )
    assert torch.equal(MeanHead(num_tasks=2)(tokens), tokens.mean(dim=(1, 2)).unsqueeze(1).repeat(1, 2))


@pytest.mark.parametrize("kind", [MlpHead, LinearHead])
def test_gradients_of_heads_are_exact(kind: type[MlpHead | LinearHead]) -> None:
    head = kind(num_tokens=2, token_dim=2, num_tasks=2).double()
    require_exact_gradients(head, torch.randn(3, 2, 2, dtype=torch.float64))


@pytest.mark.parametrize(("kind", "deviation"), [(MlpHead, (2 / 120) ** 0.5), (LinearHead, (2 / 41) ** 0.5)])
def test_heads_start_with_the_published_values(kind: type[MlpHead | LinearHead], deviation: float) -> None:
    torch.manual_seed(0)
    weight, bias = list(kind(num_tokens=4, token_dim=10).parameters())[:2]
    assert weight.std().item() == pytest.approx(deviation, rel=0.3 if kind is LinearHead else 0.05)
    assert bias.abs().sum() == 0

import pytest
import torch
from tests.nn.gradients import require_exact_gradients
from torch import nn
from torch.nn.functional import linear, relu, rms_norm

from rankelastor.nn.dropout import Dropout
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.projection import Projection, ProjectionLayer


def test_the_steps_stand_in_order() -> None:
    (layer,) = Projection(in_dim=5, hidden_dims=[8], out_dim=4, activation="gelu", dropout=0.1).layers
    assert [type(step) for step in layer.children()] == [nn.Linear, RMSNorm, nn.GELU, Dropout]


def test_without_hidden_widths_it_is_one_linear_map() -> None:
    projection, x = Projection(in_dim=3, out_dim=2), torch.randn(4, 3)
    assert torch.equal(projection(x), linear(x, projection.out.weight, projection.out.bias))


def test_a_projection_by_hand() -> None:
    projection = Projection(in_dim=2, hidden_dims=[2], out_dim=1)
    (layer,) = projection.layers
    assert isinstance(layer, ProjectionLayer)
    layer.linear.weight.data = torch.tensor([[3.0, 4.0], [0.0, -1.0]])
    layer.norm.weight.data = torch.tensor([10.0, 1.0])
    projection.out.weight.data = torch.tensor([[2.0, 1.0]])
    projection.out.bias.data = torch.tensor([0.5])
    # (1, 1) -> (7, -1), whose root mean square is 5 -> (14, -.2) -> (14, 0)
    torch.testing.assert_close(projection(torch.tensor([1.0, 1.0])), torch.tensor([28.5]))


@pytest.mark.parametrize("norm", [True, False])
def test_a_projection_is_its_naive_loop_over_hidden_widths(norm: bool) -> None:
    projection, x = Projection(in_dim=3, hidden_dims=[5, 4], out_dim=2, norm=norm), torch.randn(2, 6, 3)
    hidden = x
    for layer in projection.layers:
        assert isinstance(layer, ProjectionLayer)
        hidden = linear(hidden, layer.linear.weight, layer.linear.bias)
        hidden = relu(
            rms_norm(hidden, hidden.shape[-1:], layer.norm.get_parameter("weight"), 1e-12) if norm else hidden
        )
    torch.testing.assert_close(projection(x), linear(hidden, projection.out.weight, projection.out.bias))


def test_gradients_are_exact() -> None:
    projection = Projection(in_dim=3, hidden_dims=[4], out_dim=2, activation="tanh").double()
    require_exact_gradients(projection, torch.randn(3, 3, dtype=torch.float64))


def test_dropout_of_the_hidden_width_stops_in_evaluation() -> None:
    projection, x = Projection(in_dim=3, hidden_dims=[50], out_dim=2, dropout=0.5), torch.randn(4, 3)
    assert not torch.equal(projection(x), projection(x))
    projection.eval()
    assert torch.equal(projection(x), projection(x))

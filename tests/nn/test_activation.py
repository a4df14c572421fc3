import pytest
import torch

from rankelastor.nn.activation import activation


def test_gelu_is_the_exact_one() -> None:
    x = torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float64)
    exact = x * 0.5 * (1 + torch.erf(x / 2**0.5))
    assert torch.allclose(activation("gelu")(x), exact, atol=1e-15)


def test_an_unknown_activation_lists_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"must be one of \['gelu', 'identity', 'relu', 'silu', 'tanh'\], but 'swish' was given"
    ):
        activation("swish")

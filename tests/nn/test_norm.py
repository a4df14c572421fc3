import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nn.gradients import require_exact_gradients

from rankelastor.nn.norm import RMSNorm, rms_norm


def test_rms_norm_by_hand() -> None:
    norm = RMSNorm(2)
    norm.weight.data = torch.tensor([1.0, 10.0])
    # (7, -1) has the mean square (49 + 1) / 2 = 25
    torch.testing.assert_close(norm(torch.tensor([[7.0, -1.0]])), torch.tensor([[1.4, -2.0]]))


def test_the_epsilon_is_the_published_one() -> None:
    x = torch.tensor([[1e-6, 1e-6]], dtype=torch.float64)  # mean square 1e-12, as large as the epsilon
    torch.testing.assert_close(RMSNorm(2).double()(x), torch.full((1, 2), 0.5**0.5, dtype=torch.float64))
    assert RMSNorm(2)(torch.zeros(1, 2)).tolist() == [[0.0, 0.0]]


def test_the_scale_of_the_input_changes_nothing() -> None:
    x, norm = torch.randn(5, 3, 4), RMSNorm(4)
    torch.testing.assert_close(norm(1000 * x), norm(x))
    torch.testing.assert_close(norm(x).square().mean(-1), torch.ones(5, 3))


def test_gradients_of_the_norm_are_exact() -> None:
    require_exact_gradients(RMSNorm(3).double(), torch.randn(2, 4, 3, dtype=torch.float64))


def test_a_norm_computes_in_the_precision_of_its_gain_under_autocast() -> None:
    norm, x = RMSNorm(4), torch.randn(2, 4).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        normed = norm(x)
    assert normed.dtype == torch.float32
    assert torch.equal(normed, norm(x.float()))


@settings(deadline=None)  # the first call is slow
@given(st.integers(1, 5), st.integers(1, 7), st.booleans(), st.integers(0, 10))
def test_values_and_gradients_equal_the_formula(batch: int, dim: int, per_token: bool, seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(batch, 3, dim, dtype=torch.float64, requires_grad=True)
    gain = torch.randn(*([3, dim] if per_token else [dim]), dtype=torch.float64, requires_grad=True)
    upstream = torch.randn_like(x)
    naive = gain * x / (x.pow(2).mean(-1, keepdim=True) + 1e-12).sqrt()
    ours = rms_norm(x, gain)
    assert torch.allclose(ours, naive, atol=1e-12)
    expected = torch.autograd.grad(naive, (x, gain), upstream)
    for mine, theirs in zip(torch.autograd.grad(ours, (x, gain), upstream), expected, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-9)

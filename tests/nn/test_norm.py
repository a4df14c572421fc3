import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.nn.norm import rms_norm


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

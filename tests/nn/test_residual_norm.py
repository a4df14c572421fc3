import torch
from torch import nn

from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.residual_norm import PostNormResidual, PreNormResidual


def test_before_the_layer_the_residual_is_not_normalised() -> None:
    x = torch.tensor([[[3.0, 4.0]]])  # mean square 12.5
    out = PreNormResidual(nn.Identity(), dim=2)(x)
    torch.testing.assert_close(out, x + x / 12.5**0.5)


def test_behind_the_sum_the_residual_is_normalised() -> None:
    out = PostNormResidual(nn.Identity(), RMSNorm(2))(torch.tensor([[[3.0, 4.0]]]))  # of (6, 8), mean square 50
    torch.testing.assert_close(out, torch.tensor([[[6.0, 8.0]]]) / 50**0.5)

import pytest
import torch
from torch import nn

from rankelastor.optimisers.adam import DenseAdam


def parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((4, 3), (5,), (2, 2, 2), (1,))]


@pytest.mark.parametrize("rates", [(0.01,) * 8, (0.3, 0.3, 1e-5, 1e-5, 1e-5, 2.0, 2.0, 0.0)])
def test_parameters_are_those_of_pytorchs_fused_adam_bit_for_bit(rates: tuple[float, ...]) -> None:
    ours, theirs = parameters(), parameters()
    optimiser = DenseAdam(ours, learning_rate=rates[0], betas=(0.9, 0.999))
    reference = torch.optim.Adam(theirs, lr=rates[0], betas=(0.9, 0.999), fused=True)
    generator = torch.Generator().manual_seed(4)
    for step, rate in enumerate(rates):
        optimiser.learning_rate = reference.param_groups[0]["lr"] = rate
        for index, (own, other) in enumerate(zip(ours, theirs, strict=True)):
            gradient = torch.randn(own.shape, generator=generator)
            own.grad = other.grad = None if index == 1 and step % 3 else gradient
        optimiser.step()
        reference.step()
        for own, other in zip(ours, theirs, strict=True):
            assert torch.equal(own, other)


def test_the_first_step_is_the_learning_rate_against_the_sign_of_the_gradient() -> None:
    weight = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    optimiser = DenseAdam([weight], learning_rate=0.5, betas=(0.9, 0.999))
    weight.grad = torch.tensor([1e-3, -40.0, 0.0])
    optimiser.step()
    assert weight.tolist() == pytest.approx([0.5, -1.5, 3.0], abs=1e-4)


def test_zero_grad_removes_the_gradients() -> None:
    weights = [nn.Parameter(torch.ones(2)) for _ in range(2)]
    for weight in weights:
        weight.grad = torch.ones(2)
    optimiser = DenseAdam(weights, learning_rate=0.5, betas=(0.9, 0.999))
    optimiser.zero_grad()
    optimiser.step()
    assert [weight.grad for weight in weights] == [None, None]
    assert [weight.tolist() for weight in weights] == [[1.0, 1.0]] * 2


@pytest.mark.parametrize("weight_decay", [0.1, 1.0])
def test_with_weight_decay_the_decayed_parameters_are_those_of_pytorchs_adamw(weight_decay: float) -> None:
    ours, theirs = parameters(), parameters()
    optimiser = DenseAdam(ours, learning_rate=0.05, betas=(0.9, 0.999), weight_decay=weight_decay, decayed=ours[::2])
    groups = [{"params": theirs[::2], "weight_decay": weight_decay}, {"params": theirs[1::2], "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=0.05, betas=(0.9, 0.999), foreach=False)
    generator = torch.Generator().manual_seed(4)
    for _ in range(5):
        for own, other in zip(ours, theirs, strict=True):
            own.grad = torch.randn(own.shape, generator=generator)
            other.grad = own.grad.clone()
        optimiser.step()
        reference.step()
    for own, other in zip(ours, theirs, strict=True):
        assert torch.allclose(own, other, atol=1e-6)

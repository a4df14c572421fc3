"""Gradients of a module against finite differences."""

import torch
from torch import nn


def require_exact_gradients(module: nn.Module, inputs: torch.Tensor) -> None:
    """Assert that the gradients with respect to float64 inputs and to all parameters are right."""
    names, values = zip(*module.named_parameters(), strict=True)

    def out_of(given: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), given)
        return out

    inputs = inputs.requires_grad_()
    assert torch.autograd.gradcheck(out_of, (inputs, *[value.detach().requires_grad_() for value in values]))

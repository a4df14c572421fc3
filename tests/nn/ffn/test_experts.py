from __future__ import annotations

import pytest
import torch
from tests.nn.gradients import require_exact_gradients
from torch import Tensor, nn
from torch.nn.functional import gelu
from torch.utils.flop_counter import FlopCounterMode

from rankelastor.nn.ffn.experts import ExpertForm, PerTokenExperts

FORMS = pytest.mark.parametrize("form", ["gelu", "swiglu"])


def made(form: ExpertForm, *, num_experts: int = 4) -> PerTokenExperts:
    torch.manual_seed(0)
    experts = PerTokenExperts(num_tokens=3, token_dim=4, hidden_dim=5, num_experts=num_experts, form=form).double()
    for parameter in experts.parameters():
        nn.init.normal_(parameter)
    return experts


def sparse_gates(share: float) -> Tensor:
    gates = torch.rand(7, 3, 4, dtype=torch.float64)
    return gates * (torch.rand_like(gates) < share)


@FORMS
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_computing_those_with_a_gate_is_computing_all(form: ExpertForm, share: float) -> None:
    experts, tokens, gates = made(form), torch.randn(7, 3, 4, dtype=torch.float64), sparse_gates(share)
    torch.testing.assert_close(experts.gated(tokens, gates), experts.all_of(tokens, gates))


@FORMS
def test_picked_experts_are_those_with_a_gate(form: ExpertForm) -> None:
    experts, tokens = made(form), torch.randn(7, 3, 4, dtype=torch.float64)
    weights, chosen = torch.rand(7, 3, 4, dtype=torch.float64).topk(2, dim=2)
    gates = torch.zeros(7, 3, 4, dtype=torch.float64).scatter(2, chosen, weights)
    torch.testing.assert_close(experts.picked(tokens, chosen, weights), experts.all_of(tokens, gates))


@FORMS
def test_gradients_agree_too(form: ExpertForm) -> None:
    experts, tokens, gates = made(form), torch.randn(7, 3, 4, dtype=torch.float64), sparse_gates(0.4)
    wanted = [tokens.requires_grad_(), gates.requires_grad_(), *experts.parameters()]
    some, every = (
        torch.autograd.grad(call(tokens, gates).square().sum(), wanted) for call in (experts.gated, experts.all_of)
    )
    for index, (ours, theirs) in enumerate(zip(some, every, strict=True)):
        # A gate of zero has a gradient only where its expert is computed.
        kept = gates != 0 if index == 1 else torch.ones_like(ours, dtype=torch.bool)
        torch.testing.assert_close(ours[kept], theirs[kept])


def test_experts_whose_gates_are_all_one_are_one_wide_mlp() -> None:
    experts, tokens = made("gelu"), torch.randn(7, 3, 4, dtype=torch.float64)
    out = experts.all_of(tokens, torch.ones(7, 3, 4, dtype=torch.float64))
    for token in range(3):
        hidden = gelu(tokens[:, token] @ experts.up.weight[token] + experts.up.bias[token])
        down = torch.cat([experts.down[token * 4 + number] for number in range(4)])
        bias = experts.down_bias[token * 4 : token * 4 + 4].sum(0)
        torch.testing.assert_close(out[:, token], hidden @ down + bias)


def test_the_work_is_that_of_the_gates() -> None:
    experts, tokens = made("gelu"), torch.randn(7, 3, 4, dtype=torch.float64)
    gates = sparse_gates(0.4)
    with FlopCounterMode(display=False) as counter:
        experts.gated(tokens, gates)
    assert counter.get_total_flops() == 2 * int((gates != 0).sum()) * (4 * 5 + 5 * 4)


def test_gradients_are_exact() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = PerTokenExperts(num_tokens=2, token_dim=1, hidden_dim=2, num_experts=2, form="swiglu")

        def forward(self, both: Tensor) -> Tensor:
            return self.experts.gated(both[..., :1], both[..., 1:])

    torch.manual_seed(0)
    require_exact_gradients(Gated().double(), torch.rand(2, 2, 3, dtype=torch.float64) + 0.1)

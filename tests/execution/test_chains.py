"""Neighbours that one operation computes are matched from the left, and the others are lowered one by one."""

import torch
from torch import Tensor, nn

from rankelastor.execution.chains import Chain, ChainLayer, chain, chain_layers
from rankelastor.execution.rules import Context, Operation
from rankelastor.nn.random_bytes import RandomBytes


def context() -> Context:
    return Context(RandomBytes(0))


def pairs_of_tanh(steps: list[ChainLayer], _context: Context) -> tuple[Operation, int] | None:
    """Stand for two Tanh in a row."""
    return (lambda x: x + 100, 2) if [step.kind for step in steps[:2]] == [nn.Tanh, nn.Tanh] else None


def test_identities_are_left_out_and_layers_that_are_not_plain_have_no_kind() -> None:
    hooked, identity, watched_identity = nn.Tanh(), nn.Identity(), nn.Identity()
    for layer in (hooked, watched_identity):
        layer.register_forward_hook(lambda *_: None)
    plain = nn.ReLU()
    steps = chain_layers(context(), hooked, identity, plain, watched_identity)
    assert steps == [ChainLayer(hooked, None), ChainLayer(plain, nn.ReLU), ChainLayer(watched_identity, None)]


def test_operations_are_matched_from_the_left_and_applied_in_order() -> None:
    made = context()
    steps = chain_layers(made, nn.ReLU(), nn.Tanh(), nn.Tanh(), nn.Tanh())
    combined = chain(steps, made, pairs_of_tanh)
    assert isinstance(combined, Chain)
    assert len(combined.operations) == 3
    x = torch.tensor([-3.0])
    assert torch.equal(combined(x), torch.tanh(torch.relu(x) + 100))


def test_a_chain_of_one_is_the_operation_itself() -> None:
    made = context()
    combined = chain(chain_layers(made, nn.Tanh(), nn.Tanh()), made, pairs_of_tanh)
    assert combined is not None
    assert combined(torch.zeros(1)).item() == 100.0


def test_a_chain_without_a_match_keeps_the_layer() -> None:
    made = context()
    assert chain(chain_layers(made, nn.Tanh(), nn.ReLU()), made, pairs_of_tanh) is None


def test_a_subclass_is_not_matched() -> None:
    class Other(nn.Tanh):
        def forward(self, x: Tensor) -> Tensor:
            return x

    made = context()
    assert chain(chain_layers(made, nn.Tanh(), Other()), made, pairs_of_tanh) is None

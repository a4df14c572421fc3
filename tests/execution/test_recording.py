"""What a recording repeats: both passes, masks that are drawn anew, and nothing that would change the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rankelastor.execution.lowering import Lowering
from rankelastor.execution.recording import NotRecordableError, record
from rankelastor.nn.dropout import Dropout, Mask
from rankelastor.nn.random_bytes import RandomBytes


def both_passes(layer: nn.Module, x: Tensor, compute: Callable[[Tensor], Tensor] | None = None) -> list[Tensor]:
    """Compute a loss, and its gradients by the parameters and the input; ``compute`` stands for the layer."""
    x = x.detach().requires_grad_()
    loss = (compute or layer)(x).square().sum()
    return [loss.detach(), *torch.autograd.grad(loss, [*layer.parameters(), x], materialize_grads=True)]


class Used(nn.Module):
    """A linear map whose input is used twice, beside a parameter that is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        lifted: Tensor = self.linear(x)
        return x * lifted.add_(1)


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "a linear map": lambda: nn.Linear(3, 2),
    "norms, one without a bias": lambda: nn.Sequential(nn.LayerNorm(3), nn.LayerNorm(3, bias=False)),
    "an input that is used twice, and a parameter that is not": Used,
    "convolution": lambda: nn.Conv1d(4, 2, 2),
}


@pytest.mark.parametrize("name", LAYERS)
def test_both_passes_give_the_same_bits_for_other_inputs_and_other_parameters(name: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[name]()
    recording = record(lambda x: both_passes(layer, x), [torch.randn(4, 3)])
    for _ in range(3):
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.add_(torch.randn_like(parameter))
        x = torch.randn(4, 3)
        for ours, plain in zip(recording.repeat([x]), both_passes(layer, x), strict=True):
            assert torch.equal(ours, plain)


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.9])
def test_masks_are_drawn_anew_in_their_order_from_the_same_stream(rate: float) -> None:
    stream = RandomBytes(7)
    dropouts = [Dropout(rate), Dropout(rate / 2)]
    for layer in dropouts:
        layer.random_bytes = stream
    network = nn.Sequential(dropouts[0], nn.Linear(5, 4), dropouts[1])
    recording = record(lambda x: both_passes(network, x), [torch.ones(64, 5)])
    seen = []
    for seed in range(8):
        x = torch.randn(64, 5)
        stream.restart(seed)
        ours = [each.clone() for each in recording.repeat([x])]
        after = stream(8)
        stream.restart(seed)
        plain = both_passes(network, x)
        assert torch.equal(after, stream(8))  # as many bytes were drawn
        assert all(torch.equal(*pair) for pair in zip(ours, plain, strict=True))
        seen.append(ours[0].item())
    assert len(set(seen)) == 8


def test_the_threshold_of_a_mask_is_drawn_anew_too() -> None:
    rate = 100.5 / 256  # bytes below 100, or below 101
    recording = record(
        lambda _: [Mask.draw(torch.Size([256]), rate, source).to_numbers(torch.float32)], [torch.zeros(1)]
    )
    kept = {int(recording.repeat([torch.zeros(1)])[0].sum()) for _ in range(40)}
    assert kept == {155, 156}


def source(count: int) -> Tensor:
    """Draw each byte once, and two that choose the threshold."""
    return torch.cat([torch.arange(256, dtype=torch.uint8), torch.randint(256, (count - 256,), dtype=torch.uint8)])


@pytest.mark.parametrize("rate", [1 / 512, 511 / 512])
def test_a_rate_that_may_drop_nothing_or_all_is_not_recorded(rate: float) -> None:
    with pytest.raises(NotRecordableError, match="dropout rate"):
        record(lambda x: [Dropout(rate)(x)], [torch.ones(4)])


def test_a_recording_is_not_a_listener_for_later_masks() -> None:
    record(lambda x: [Dropout(0.5)(x)], [torch.ones(4)])
    assert Mask.draw(torch.Size([4]), 0.5, RandomBytes(1)).threshold == 128


OUTSIDE = torch.zeros(3)
NORM = nn.BatchNorm1d(3)
WEIGHT = nn.Parameter(torch.ones(3))

REFUSED: dict[str, Callable[[Tensor], Any]] = {
    "a change of a tensor outside": lambda x: OUTSIDE.add_(x.sum()) + x,
    "a change through a view": lambda x: OUTSIDE[:2].mul_(2).sum() + x,
    "a result outside": lambda x: torch.add(x[0], 1, out=OUTSIDE),
    "a constant made in Python and changed": lambda x: torch.tensor(0.0).add_(x.sum()),
    "statistics of batches": NORM,
    "a number of a parameter": lambda x: x * float(WEIGHT.detach()[0]),
    "a shape that is changed in place": lambda x: x.clone().t_(),
    "random numbers": lambda x: x + torch.rand(3),
    "dropout of PyTorch": lambda x: nn.functional.dropout(x, 0.5),
    "places by value": lambda x: x[x > 0],
    "a comparison of all": lambda x: x if torch.equal(x, x + 1) else -x,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_repeated_is_refused_and_changes_nothing(name: str) -> None:
    state, before = torch.get_rng_state(), [each.clone() for each in (OUTSIDE, *NORM.buffers())]
    with pytest.raises(NotRecordableError):
        record(lambda x: [REFUSED[name](x)], [torch.linspace(-1, 1, 12).view(4, 3)])
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(*pair) for pair in zip((OUTSIDE, *NORM.buffers()), before, strict=True))


def test_a_value_that_the_backward_pass_hands_to_python_is_refused() -> None:
    class Rounded(torch.autograd.Function):
        @staticmethod
        def forward(_ctx: object, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def backward(_ctx: object, gradient: Tensor) -> Tensor:
            return gradient * round(gradient.sum().item())

    def compute(x: Tensor) -> Sequence[Tensor]:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(Rounded.apply(x).sum(), x)  # type: ignore[no-untyped-call]

    with pytest.raises(NotRecordableError, match="values"):
        record(compute, [torch.ones(3)])


def test_fixed_tensors_alone_are_computed_once() -> None:
    weight = torch.randn(3, 3)
    recording = record(lambda x: [x @ (weight @ weight)], [torch.randn(2, 3)], fixed=[weight])
    assert len(recording.repeats) == 1
    x = torch.randn(2, 3)
    assert torch.equal(recording.repeat([x])[0], x @ (weight @ weight))
    assert len(record(lambda x: [x @ (weight @ weight)], [torch.randn(2, 3)]).repeats) == 2


def test_a_recording_keeps_no_graph_of_the_backward_pass() -> None:
    layer = nn.Sequential(nn.Linear(3, 2), Dropout(0.5))
    recording = record(lambda x: both_passes(layer, x, Lowering(layer).current()), [torch.randn(4, 3)])
    partials = [each for each in recording.repeats if isinstance(each, partial)]
    given = [each for again in partials for each in (*again.args, *again.keywords.values()) if isinstance(each, Tensor)]
    assert given
    assert all(each.grad_fn is None for each in (*given, *recording.outputs))


def test_bytes_are_those_of_inputs_and_results() -> None:
    weight = torch.ones(5)
    recording = record(lambda x, _: [(x * weight).neg()], [torch.ones(2, 5), None])
    assert recording.num_bytes == 4 * 3 * 10


def test_a_recording_stops_where_it_takes_too_much_memory() -> None:
    record(lambda x: [x.exp().neg()], [torch.ones(10)], most_bytes=4 * 3 * 10)
    with pytest.raises(NotRecordableError, match="memory"):
        record(lambda x: [x.exp().neg()], [torch.ones(10)], most_bytes=4 * 3 * 10 - 1)

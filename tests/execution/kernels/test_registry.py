"""Every registered lowering against its plain layer: outputs, all gradients, masks. The table is in ``layers.py``."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from jaxtyping import TypeCheckError
from tests.execution.comparing import (
    SEED,
    drawing,
    exact_results,
    lowered_results,
    plain_results,
    require_as_exact,
)
from tests.execution.kernels.layers import LAYERS, Case
from torch import Tensor, nn

from rankelastor.execution.lowering import Lowering
from rankelastor.execution.rules import lowered_types
from rankelastor.native.calling import kernels_use_threads, num_parts
from rankelastor.nn.dropout import Dropout

CASES = {f"{kind.__name__}: {name}": case for kind, cases in LAYERS.items() for name, case in cases.items()}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
with_kernels = pytest.mark.usefixtures("needs_kernels")
both_ways = pytest.mark.usefixtures("_with_and_without_kernels")


def test_every_registered_type_stands_in_the_table_with_several_sizes() -> None:
    assert set(LAYERS) == set(lowered_types()), "add cases to kernels/layers.py for each registered type"
    for kind, cases in LAYERS.items():
        assert len(cases) >= 3, kind
        assert all(case.kind is kind for case in cases.values()), kind
        assert any(case.shape[0] == 1 for case in cases.values()) or issubclass(kind, Dropout), f"{kind}: one row"


@with_kernels
@each_case
def test_numbers_too_large_to_square_are_never_hidden(case: Case) -> None:
    layer = case.layer().eval()
    x = case.input().sign() * 1e30
    with torch.inference_mode():
        found, expected = Lowering(layer).current()(x), layer(x)
    assert not (found.isfinite() & ~expected.isfinite()).any()


@with_kernels
@each_case
def test_an_operation_is_returned_and_calls_its_kernels(case: Case, called_kernels: list[str]) -> None:
    layer = case.layer()
    lowering = Lowering(layer)
    assert lowering.uses_kernels is bool(case.kernels or case.forward_kernels)
    out = lowering.current()(case.input().requires_grad_())
    assert tuple(called_kernels) == tuple(name for name in case.kernels if name.endswith("_forward"))
    if out.requires_grad:
        out.sum().backward()
    assert tuple(called_kernels) == case.kernels
    called_kernels.clear()
    layer.eval()
    with torch.inference_mode():
        lowering.current()(case.input())
    assert tuple(called_kernels) == case.forward_kernels


@pytest.mark.usefixtures("without_kernels")
@each_case
def test_without_kernels_none_is_called(case: Case, called_kernels: list[str]) -> None:
    lowered_results(case.layer(), case.input())
    assert called_kernels == []


@both_ways
@each_case
@pytest.mark.parametrize("threads", [1, 2])
def test_outputs_and_gradients_are_as_exact_as_the_plain_layers(case: Case, threads: int) -> None:
    torch.set_num_threads(threads)
    layer, x = case.layer(), case.input()
    plain = plain_results(layer, x)
    require_as_exact(lowered_results(layer, x), plain, exact_results(layer, x))


@with_kernels
@each_case
def test_several_cores_share_the_rows_and_give_what_one_gives(case: Case) -> None:
    layer, x = case.layer(), case.input(batch=200)
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        assert num_parts(200) == (threads if kernels_use_threads() else 1)
        found.append(lowered_results(layer, x))
    plain, exact = plain_results(layer, x), exact_results(layer, x)
    for one in found:
        require_as_exact(one, plain, exact)


@both_ways
@each_case
def test_in_evaluation_the_lowered_layer_scores_as_the_plain_one(case: Case) -> None:
    layer, x = case.layer().eval(), case.input()
    exact = copy.deepcopy(layer).double()(x.double())
    lowering = Lowering(layer)
    for mode in (torch.no_grad(), torch.inference_mode(), torch.enable_grad()):
        with mode:
            require_as_exact([lowering.current()(x).detach()], [layer(x).detach()], [exact.detach()])


@both_ways
@each_case
def test_masks_are_those_of_the_plain_layer_drawing_from_the_same_stream(case: Case) -> None:
    layer, stream = drawing(case.layer())
    lowering, x = Lowering(layer), case.input()
    lowering.random_bytes.restart(SEED)
    for _ in range(2):  # the second call goes on with the stream
        plain, ours = layer(x), lowering.current()(x)
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=2e-5 * float(plain.detach().abs().max()) + 1e-6)
        if isinstance(layer, Dropout):
            assert torch.equal(ours == 0, plain == 0)
    assert torch.equal(lowering.random_bytes(32), stream(32))


def in_other_memory_orders(x: Tensor) -> dict[str, Tensor]:
    """The same numbers, each time with other strides."""
    last = x.dim() - 1
    gaps = torch.stack([x, torch.zeros_like(x)], dim=-1)[..., 0]
    return {
        "token-major": x.transpose(0, 1).contiguous().transpose(0, 1),
        "columns first": x.transpose(0, last).contiguous().transpose(0, last),
        "gaps between columns": gaps,
        "gaps between rows": torch.cat([x, x], dim=-1)[..., : x.shape[-1]],
    }


@with_kernels
@each_case
def test_inputs_and_gradients_may_lie_in_memory_in_any_order(case: Case) -> None:
    layer, x = case.layer(), case.input()
    upstream = torch.randn(layer(x).shape, generator=torch.Generator().manual_seed(5))
    plain, exact = plain_results(layer, x, upstream), exact_results(layer, x, upstream)
    for name, moved in in_other_memory_orders(x).items():
        assert torch.equal(moved, x)
        for gradient in (upstream, in_other_memory_orders(upstream)[name]):
            require_as_exact(lowered_results(layer, moved, gradient), plain, exact)


@with_kernels
@each_case
def test_expanded_inputs_and_gradients_are_copied(case: Case) -> None:
    layer, once = case.layer(), case.input(batch=1)
    x = once.expand(5, *once.shape[1:])
    one = torch.linspace(-1, 1, layer(once).numel()).view_as(layer(once))
    for upstream in (one.expand(5, *one.shape[1:]), torch.ones(()).expand(5, *one.shape[1:])):
        plain, exact = plain_results(layer, x, upstream), exact_results(layer, x, upstream)
        require_as_exact(lowered_results(layer, x, upstream), plain, exact)


@both_ways
@each_case
def test_an_empty_batch_gives_an_empty_result(case: Case) -> None:
    layer, x = case.layer(), case.input(batch=0)
    assert Lowering(layer).current()(x).shape == layer(x).shape


@with_kernels
@each_case
def test_not_a_number_stays_visible(case: Case) -> None:
    layer, x = case.layer().eval(), torch.full(case.shape, float("nan"))
    assert Lowering(layer).current()(x).isnan().all()
    x = torch.zeros(case.shape)
    x[-1] = float("nan")
    seen = Lowering(layer).current()(x).isnan().flatten(1)
    assert seen[-1].all()
    assert not seen[:-1].any()


@both_ways
@each_case
def test_float64_is_computed_in_float64(case: Case) -> None:
    layer, x = case.layer().double(), case.input().double()
    for mine, theirs in zip(lowered_results(layer, x), plain_results(layer, x), strict=True):
        assert mine.dtype == torch.float64
        torch.testing.assert_close(mine, theirs)


@both_ways
@each_case
def test_autocast_gives_the_precision_that_the_plain_layer_gives(case: Case, called_kernels: list[str]) -> None:
    layer, x = case.layer().eval(), case.input()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, plain = Lowering(layer).current()(x), layer(x)
    assert ours.dtype == plain.dtype
    assert torch.equal(ours, plain)
    assert called_kernels == []


@with_kernels
@each_case
def test_a_parameter_of_another_size_gives_what_it_gives_the_plain_layer(case: Case) -> None:
    layer = case.layer().eval()
    for name, parameter in layer.named_parameters():
        lowering, x = Lowering(layer), case.input()
        place, _, own = name.rpartition(".")
        longer = nn.Parameter(torch.cat([parameter, parameter[:1]]).detach())
        setattr(layer.get_submodule(place), own, longer)
        found, expected = (_result_unless_refused(compute, x) for compute in (lowering.current(), layer))
        assert (found is None) is (expected is None), name
        if expected is not None:
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        setattr(layer.get_submodule(place), own, parameter)


def _result_unless_refused(compute: Callable[[Tensor], Tensor], x: Tensor) -> Tensor | None:
    try:
        return compute(x).detach()
    except (RuntimeError, TypeCheckError):
        return None

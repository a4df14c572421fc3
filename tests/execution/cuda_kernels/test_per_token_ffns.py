"""Every layer that is lowered for CUDA against its plain layer; the table is in ``layers.py``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.execution.comparing import exact_results, plain_results, require_as_exact, results
from tests.execution.cuda_kernels.device import DEVICE
from tests.execution.cuda_kernels.layers import DIM, LAYERS, TOKENS
from tests.execution.cuda_kernels.test_gated import by_pytorch
from torch import Tensor, nn

from rankelastor.execution.cuda_kernels import gated as kernels
from rankelastor.execution.lowering import Lowering
from rankelastor.execution.rules import lowered_types
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.nn.ffn.glu import PerTokenGlu
from rankelastor.nn.ffn.mlp import PerTokenMlp, PerTokenMlpLayer

Make = Callable[[], nn.Module]
CASES = {f"{kind.__name__}: {name}": make for kind, cases in LAYERS.items() for name, make in cases.items()}
each_case = pytest.mark.parametrize("make", CASES.values(), ids=CASES.keys())
WITHOUT_KERNEL = {
    "PerTokenGlu: no width",
    "PerTokenGlu: unit expansion",
    "PerTokenGlu: without biases",
    "PerTokenMlpLayer: tanh",
}


def moved(layer: nn.Module) -> nn.Module:
    """Move all parameters away from their initial values, so that each takes part."""
    torch.manual_seed(1)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.4)
    return layer.to(DEVICE)


def tokens(rows: int) -> Tensor:
    return torch.randn(rows, TOKENS, DIM, generator=torch.Generator().manual_seed(2)).to(DEVICE)


def lowered_results(layer: nn.Module, x: Tensor) -> list[Tensor]:
    return results(Lowering(layer, device="cuda").current(), list(layer.parameters()), x, None)


def test_every_registered_type_stands_in_the_table() -> None:
    of_tokens = set(lowered_types("cuda")) - {FieldEmbedding}
    assert set(LAYERS) == of_tokens, "add cases to cuda_kernels/layers.py for each registered type"


@each_case
@pytest.mark.parametrize("rows", [1, 3, 200])
def test_outputs_and_gradients_are_as_exact_as_the_plain_layers(make: Make, rows: int) -> None:
    layer, x = moved(make()), tokens(rows)
    require_as_exact(lowered_results(layer, x), plain_results(layer, x), exact_results(layer, x))


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_is_called_where_it_computes_the_layer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []

    def counted(*given: object) -> tuple[Tensor, Tensor]:
        called.append(1)
        found: tuple[Tensor, Tensor] = gated(*given)
        return found

    gated = kernels.gated
    monkeypatch.setattr(kernels, "gated", counted)
    Lowering(moved(CASES[name]()), device="cuda").current()(tokens(4))
    assert bool(called) is (name not in WITHOUT_KERNEL)


@each_case
def test_no_rows_are_no_mistake(make: Make) -> None:
    layer = moved(make())
    assert Lowering(layer, device="cuda").current()(tokens(0)).shape == layer(tokens(0)).shape


@each_case
def test_switched_off_the_plain_layers_compute(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKELASTOR_KERNELS", "off")
    assert not Lowering(make(), device="cuda").is_lowered


def test_a_map_after_the_gate_is_folded_into_it_where_that_pays() -> None:
    layer = moved(PerTokenGlu(num_tokens=TOKENS, token_dim=DIM, hidden_dims=[DIM]))
    compute = Lowering(layer, device="cuda").current()
    widths = []
    for rows in (2, 200):
        with torch.autograd.profiler.profile(record_shapes=True) as profile:
            compute(tokens(rows))
        products = [event.input_shapes for event in profile.function_events if event.name == "aten::bmm"]
        widths.append(sum(shapes[0][1] == rows for shapes in products))
    assert widths == [3, 2]  # lift, reduce and the map; lift and reduce


def test_masks_are_drawn_where_the_plain_layer_draws_them() -> None:
    layer = moved(PerTokenMlp(num_tokens=TOKENS, token_dim=DIM, hidden_dims=[400], dropout=0.5))
    hidden: list[Tensor] = []
    layer.out.register_forward_pre_hook(lambda _layer, given: hidden.append(given[0]))  # type: ignore[union-attr]
    Lowering(layer, device="cuda").current()(tokens(20))
    assert float((hidden[0] == 0).float().mean()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_that_no_longer_fit_are_left_to_the_plain_layer(dtype: torch.dtype) -> None:
    layer = PerTokenMlpLayer(num_tokens=TOKENS, in_dim=DIM, out_dim=6, activation="gelu", norm=False, dropout=0.0)
    layer = layer.to(DEVICE, dtype)
    compute = Lowering(layer, device="cuda").current()
    layer.linear.bias = nn.Parameter(torch.ones(1, 1, device=DEVICE, dtype=dtype))
    x = tokens(5).to(dtype)
    torch.testing.assert_close(compute(x), layer(x))


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("make", [CASES["PerTokenGlu: several widths"], CASES["PerTokenSwiGlu: wide"]])
def test_the_compiler_traces_a_lowered_network_into_one_graph(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler keeps the kernel as it is; here it sees PyTorch's operations in its place, which need no GPU."""
    monkeypatch.setattr(kernels, "gated", by_pytorch)
    model = nn.Sequential(moved(make()), moved(make()))
    source, x = Lowering(model, device="cuda").current(), tokens(20)
    torch.compiler.reset()
    compiled = torch.compile(source, backend="aot_eager", fullgraph=True, dynamic=False)
    ours = results(compiled, list(model.parameters()), x, None)
    torch.compiler.reset()
    require_as_exact(ours, plain_results(model, x), exact_results(model, x))

"""Compiled steps compute what eager ones do, and everything that cannot be compiled runs eagerly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NoReturn, cast

import numpy as np
import pytest
import torch
from tests.models.test_build import MIXINGS, TOKENIZERS, settings
from tests.models.test_build import SCHEMA as FOUR_FIELDS
from tests.training.steppers import stepper_of, training_settings
from tests.training.test_step import SCHEMA, batch
from torch import Tensor

from rankelastor.config.training import TrainingSettings
from rankelastor.execution import compiling
from rankelastor.execution.compiling import LARGE_WORK, CompiledNetwork, should_compile
from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.schema import Batch

Call = Callable[[Embedded], Tensor]
CPU = torch.device("cpu")
traced = partial(torch.compile, backend="aot_eager", dynamic=False, fullgraph=True)
"""PyTorch's tracing of both passes as one graph each, without the generation of code, which takes half a minute."""


@pytest.fixture(autouse=True)
def _compilers_as_they_were() -> Iterator[None]:
    """What one test compiled is not reused by the next."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


class Counting:
    """In place of a compiler: calls what it was given, and counts the examples of each call."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, call: Call) -> Call:
        def counted(embedded: Embedded) -> Tensor:
            self.sizes.append(len(embedded.fields))
            return call(embedded)

        return counted


def fresh(dropout: float = 0.0) -> Ranker:
    torch.manual_seed(0)
    tokenizer = {"kind": "split", "hidden_dims": [5], "dropout": dropout}
    ffn = {"kind": "glu", "hidden_dims": [6], "dropout": dropout}
    ranker = build_ranker(settings(embedding_dim=4, num_tokens=2, tokenizer=tokenizer, ffn=ffn), SCHEMA)
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    return ranker.train()


def logits(compiled: CompiledNetwork, ranker: Ranker, examples: Batch) -> Tensor:
    """What a step computes: the network as it is compiled now, behind the embedding."""
    return compiled.current()(ranker.embedding(examples))


@pytest.mark.parametrize(
    ("chosen", "on_cpu", "on_cuda", "if_large"),
    [("auto", False, False, True), ("always", True, True, True), ("never", False, False, False)],
)
def test_auto_compiles_large_steps_on_cuda_alone(chosen: str, on_cpu: bool, on_cuda: bool, if_large: bool) -> None:
    execution = training_settings(compile=chosen).execution
    assert should_compile(execution, CPU, work=2 * LARGE_WORK) is on_cpu
    assert should_compile(execution, torch.device("cuda"), work=LARGE_WORK / 2) is on_cuda
    assert should_compile(execution, torch.device("cuda"), work=LARGE_WORK) is if_large


def test_cuda_graphs_of_the_passes_are_asked_for_on_cuda_where_no_step_is_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(torch, "compile", lambda _call, **options: asked.append(options))
    for name, record in (("cuda", "never"), ("cuda", "auto"), ("cpu", "never")):
        compiler = compiling.compiler_for(training_settings(record=record).execution, torch.device(name))
        compiler(lambda embedded: embedded.fields)
    assert [options["mode"] for options in asked] == ["reduce-overhead", None, None]
    assert not any(options["dynamic"] for options in asked)


def steps(
    training: TrainingSettings, sizes: tuple[int, ...], *, dropout: float = 0.0, threads: int = 1
) -> tuple[list[float], Ranker, bool]:
    torch.set_num_threads(threads)
    ranker = fresh(dropout)
    stepper = stepper_of(ranker, training)
    torch.manual_seed(5)
    losses = [stepper.step(batch(seed, count)).item() for seed, count in enumerate(sizes)]
    stepper.close()
    torch.set_num_threads(1)
    return losses, ranker, stepper.executor == "compiled"


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_compiled_steps_learn_what_eager_ones_do(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "compiler_for", lambda _settings, _device: traced)
    training = partial(training_settings, learning_rate=0.01, slice_examples=8, precision=precision)
    sizes = (32, 32, 32, 5, 32)  # the end of an epoch, and the next one
    runs = [steps(training(compile=chosen), sizes) for chosen in ("always", "never")]
    (losses, ranker, compiled), (eager_losses, eager_ranker, eager) = runs
    assert (compiled, eager) == (True, False)
    tolerance = 1e-5 if precision == "fp32" else 5e-3  # bf16 has eight bits, and rounds in other places
    assert losses == pytest.approx(eager_losses, abs=tolerance)
    if precision == "fp32":
        for (name, one), other in zip(ranker.named_parameters(), eager_ranker.parameters(), strict=True):
            # A tenth of one step: Adam makes much of the rounding of gradients near its epsilon, 1e-8.
            assert torch.allclose(one, other, atol=1e-3), name


@pytest.mark.usefixtures("unchecked_shapes")
def test_compiled_dropout_is_drawn_anew_and_repeatably(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "compiler_for", lambda _settings, _device: traced)
    training = training_settings(learning_rate=1e-12, slice_examples=8, compile="always")
    first, second = (steps(training, (32, 32, 32), dropout=0.4, threads=2) for _ in range(2))
    assert first[0] == second[0]
    ranker = fresh(0.4)
    compiled = CompiledNetwork(ranker.network)
    masked = [logits(compiled, ranker, batch(0)) for _ in range(3)]
    assert compiled.is_compiled
    assert not torch.allclose(masked[0], masked[1])
    assert not torch.allclose(masked[1], masked[2])


@pytest.mark.usefixtures("unchecked_shapes")
def test_the_twelfth_network_of_a_process_is_compiled_like_the_first() -> None:
    """PyTorch compiles one forward for eight sizes, and runs it eagerly for a ninth, if nobody asks for more."""
    graphs: list[torch.fx.GraphModule] = []

    def kept(graph: torch.fx.GraphModule, _inputs: Sequence[Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    for number in range(12):
        ranker = fresh()
        compiled = CompiledNetwork(ranker.network, partial(torch.compile, backend=kept, dynamic=False))
        for _ in range(2):
            logits(compiled, ranker, batch(0, 8 + number))
        assert len(graphs) == number + 1


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_shapes")
def test_pytorchs_own_code_learns_what_eager_steps_do() -> None:
    training = partial(training_settings, learning_rate=0.01, slice_examples=8)
    sizes = (32, 32, 7, 32)
    runs = [steps(training(compile=chosen), sizes, threads=2) for chosen in ("always", "never")]
    assert [compiled for *_, compiled in runs] == [True, False]
    assert runs[0][0] == pytest.approx(runs[1][0], abs=1e-4)


VARIANTS: list[dict[str, Any]] = [
    *cast("list[dict[str, Any]]", TOKENIZERS),
    *({"mixing": mixing} for mixing in MIXINGS),
    {"ffn": {"kind": "mlp", "hidden_dims": [7], "norm": True}},
    {"ffn": {"kind": "glu", "hidden_dims": [6], "gate": "paper"}},
]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("changes", VARIANTS, ids=json.dumps)
def test_what_other_devices_than_the_cpu_run_is_one_graph(changes: dict[str, Any]) -> None:
    with torch.device("meta"):  # as CUDA, it takes none of the CPU's own paths
        network = build_ranker(settings(**changes), FOUR_FIELDS).network.train()
        embedded = Embedded(torch.empty(16, 4, 6, requires_grad=True))
    compiled = torch.compile(network.forward, backend="eager", fullgraph=True, dynamic=False)
    torch.autograd.backward(compiled(embedded).sum())
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_smaller_batches_run_eagerly_and_a_larger_one_is_compiled_anew() -> None:
    counting, ranker = Counting(), fresh()
    compiled = CompiledNetwork(ranker.network, counting)
    for count in (8, 8, 3, 8, 12, 8, 12):
        torch.testing.assert_close(logits(compiled, ranker, batch(0, count)), ranker(batch(0, count)))
    assert counting.sizes == [8, 8, 8, 8, 12, 12, 12]  # each size is tried out once before it is used


def test_a_watched_ranker_runs_eagerly_and_hooks_hear_it() -> None:
    counting, ranker = Counting(), fresh()
    compiled = CompiledNetwork(ranker.network, counting)
    logits(compiled, ranker, batch(0))
    heard: list[int] = []
    handle = ranker.points["tokens"].register_forward_hook(lambda _module, _inputs, tokens: heard.append(len(tokens)))
    logits(compiled, ranker, batch(1))
    handle.remove()
    logits(compiled, ranker, batch(2))
    assert heard == [16]
    assert len(counting.sizes) == 3  # the trial, the first batch and the last


def test_trying_out_leaves_gradients_and_random_numbers_alone() -> None:
    ranker = fresh(0.4)
    compiled = CompiledNetwork(ranker.network, Counting())
    torch.manual_seed(3)
    before = torch.get_rng_state()
    expected = ranker(batch(0))
    after = torch.get_rng_state()
    assert not torch.equal(before, after)
    torch.set_rng_state(before)
    assert torch.equal(logits(compiled, ranker, batch(0)), expected)
    assert torch.equal(torch.get_rng_state(), after)
    assert all(parameter.grad is None for parameter in ranker.parameters())


def test_batches_that_run_eagerly_draw_from_the_stream_of_the_network() -> None:
    ranker = fresh(0.4)
    compiled = CompiledNetwork(ranker.network, Counting())
    logits(compiled, ranker, batch(0, 16))
    state, found = torch.get_rng_state(), []
    for _ in range(2):
        compiled.random_bytes.restart(7)
        found.append(logits(compiled, ranker, batch(0, 8)))
    assert torch.equal(*found)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_ranker_keeps_its_modules_and_names() -> None:
    ranker = fresh()
    names, modules = list(ranker.state_dict()), list(ranker.modules())
    logits(CompiledNetwork(ranker.network, Counting()), ranker, batch(0))
    assert list(ranker.state_dict()) == names
    assert all(one is other for one, other in zip(ranker.modules(), modules, strict=True))


class _Broken(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(_ctx: Any, *_gradients: Tensor) -> NoReturn:
        raise RuntimeError("no backward pass")


def no_compiler(_call: Call) -> NoReturn:
    raise RuntimeError("InvalidCxxCompiler: no working C++ compiler found\n\nwith pages\nof advice")


def no_code(_call: Call) -> Call:
    def call(_embedded: Embedded) -> NoReturn:
        raise ImportError("this processor is too old")

    return call


def no_backward(call: Call) -> Call:
    return lambda embedded: _Broken.apply(call(embedded))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (
            no_compiler,
            "failed: RuntimeError: InvalidCxxCompiler: no working C++ compiler found; the step runs without it",
        ),
        (no_code, "failed: ImportError: this processor is too old; the step runs without it"),
        (no_backward, "failed: RuntimeError: no backward pass; the step runs without it"),
    ],
    ids=["no compiler", "no code", "no backward"],
)
def test_what_cannot_be_compiled_runs_eagerly_and_says_so_once(
    broken: Callable[[Call], Call], reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compiling, "compiler_for", lambda _settings, _device: broken)
    compiling._warn_that_compiling_failed.cache_clear()
    training = partial(training_settings, learning_rate=0.01, slice_examples=8)
    failed, eager, again = (steps(training(compile=chosen), (16, 16, 24)) for chosen in ("always", "never", "always"))
    assert failed[0] == eager[0] == again[0]
    assert not failed[2]
    (record,) = caplog.records
    assert reason in record.getMessage()
    assert "try training.compile=never" in record.getMessage()


cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def cuda_steps(training: TrainingSettings, sizes: tuple[int, ...]) -> tuple[list[float], Ranker, bool]:
    ranker = fresh().to("cuda")
    stepper = stepper_of(ranker, training)
    losses = [stepper.step(batch(seed, count)) for seed, count in enumerate(sizes)]
    stepper.close()
    return [loss.item() for loss in losses], ranker, stepper.executor == "compiled"


@pytest.mark.cuda
@cuda
@pytest.mark.usefixtures("unchecked_shapes")
def test_on_cuda_graphs_learn_what_eager_steps_do() -> None:
    runs = [cuda_losses(compile=chosen, precision="fp32") for chosen in ("always", "never")]
    assert runs[0] == pytest.approx(runs[1], abs=1e-4)


@pytest.mark.cuda
@cuda
@pytest.mark.usefixtures("unchecked_shapes")
def test_on_cuda_graphs_in_bf16_are_about_as_near_to_fp32_as_eager_steps() -> None:
    """The two round at different places, so that each is compared with what neither rounds."""
    exact = np.array(cuda_losses(compile="never", precision="fp32"))
    compiled, eager = (
        float(np.abs(np.array(cuda_losses(compile=chosen, precision="bf16")) - exact).max())
        for chosen in ("always", "never")
    )
    assert compiled <= 2 * eager + 5e-3


def cuda_losses(**changes: Any) -> list[float]:
    """Train some steps, and read the losses at the end: no graph may write over them."""
    training = training_settings(learning_rate=0.01, embedding_l2=0.1, record="never", **changes)
    losses, _, compiled = cuda_steps(training, (64, 64, 64, 64, 9, 64, 64))
    assert compiled == (changes["compile"] == "always")
    return losses


@pytest.mark.cuda
@cuda
@pytest.mark.usefixtures("unchecked_shapes")
def test_on_cuda_a_recorded_step_draws_new_dropout_masks() -> None:
    ranker = fresh(0.4).to("cuda")
    compiled = CompiledNetwork(ranker.network)
    examples = batch(0, 64).to(torch.device("cuda"))
    masked = [logits(compiled, ranker, examples).detach().clone() for _ in range(4)]
    assert compiled.is_compiled
    assert not any(torch.allclose(one, other) for one, other in pairwise(masked))


@pytest.mark.cuda
@cuda
@pytest.mark.usefixtures("unchecked_shapes")
def test_on_cuda_a_watched_step_between_compiled_ones_is_heard() -> None:
    ranker = fresh().to("cuda")
    stepper = stepper_of(ranker, training_settings(compile="always", record="never"))
    heard: list[int] = []
    for seed in range(6):
        if seed == 4:
            handle = ranker.points["tokens"].register_forward_hook(lambda *given: heard.append(len(given[2])))
        stepper.step(batch(seed, 64))
    handle.remove()
    stepper.step(batch(6, 64))
    assert stepper.executor == "compiled"
    assert heard == [64, 64]

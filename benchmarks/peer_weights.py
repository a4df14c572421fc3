"""Translate the weights of FuxiCTR's models to ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

State = Mapping[str, Tensor]
Pairs = Iterator[tuple[str, Tensor]]
_NORM = ("weight", "bias", "running_mean", "running_var")


def our_state(name: str, state: State, ours: State) -> dict[str, Tensor]:
    """Make the state of our ranker from that of FuxiCTR's model; what only we have keeps its value."""
    translated = {**_embedding(state), **{f"network.{key}": tensor for key, tensor in _NETWORKS[name](state)}}
    counters = {key: tensor for key, tensor in ours.items() if key.endswith("num_batches_tracked")}
    assert translated.keys() | counters.keys() == ours.keys(), translated.keys() ^ ours.keys()
    return {key: tensor.reshape(ours[key].shape) for key, tensor in translated.items()} | counters


def _embedding(state: State) -> dict[str, Tensor]:
    """Join the tables to one, with the weights of first order as a further column."""
    tables = _tables(state, r"^embedding_layer\.(?:embedding_layer\.)?embedding_layers\.(\w+)\.weight$")
    first = _tables(state, r"^lr_layer\.embedding_layer\.embedding_layer\.embedding_layers\.(\w+)\.weight$")
    if first:
        tables = {name: _beside(table, first[name]) for name, table in tables.items()}
    rows = {name: table for name, table in tables.items() if name.startswith("c")}
    numbers = [table[:, 0] for name, table in tables.items() if name.startswith("n")]
    width = next(iter(rows.values())).shape[1]
    table = torch.cat([torch.zeros(1, width, dtype=torch.float64), *(each[1:] for each in rows.values())])
    return {"embedding.table": table, "embedding.numeric_vectors": torch.stack(numbers)}


def _beside(table: Tensor, first: Tensor) -> Tensor:
    return torch.cat([table, first], dim=0 if table.shape[1] == 1 else 1)


def _tables(state: State, pattern: str) -> dict[str, Tensor]:
    return {match[1]: tensor for key, tensor in state.items() if (match := re.match(pattern, key))}


def _block(state: State, theirs: str, ours: str, *, out: str | None = None) -> Pairs:
    """Translate an MLP_Block: linear maps, each with a batch norm behind it or not, and an output map or none."""
    steps = sorted({int(key.split(".")[-2]) for key in state if key.startswith(f"{theirs}.mlp.")})
    linear = [step for step in steps if state[f"{theirs}.mlp.{step}.weight"].dim() > 1]
    hidden = linear if out is None else linear[:-1]
    for place, step in enumerate(hidden):
        yield from _linear(state, f"{theirs}.mlp.{step}", f"{ours}.{place}.linear")
        if step + 1 in steps and step + 1 not in linear:
            yield from ((f"{ours}.{place}.norm.{key}", state[f"{theirs}.mlp.{step + 1}.{key}"]) for key in _NORM)
    if out is not None:
        yield from _linear(state, f"{theirs}.mlp.{linear[-1]}", out)


def _linear(state: State, theirs: str, ours: str) -> Pairs:
    for key in ("weight", "bias"):
        if f"{theirs}.{key}" in state:
            yield f"{ours}.{key}", state[f"{theirs}.{key}"]


def _mlp(state: State) -> Pairs:
    yield from _block(state, "mlp", "mlp.layers", out="mlp.out")


def _dcn_v2(state: State) -> Pairs:
    for layer in range(2):
        yield from _linear(state, f"crossnet.cross_layers.{layer}", f"cross.layers.{layer}.linear")
    yield from _block(state, "parallel_dnn", "deep.layers")
    width = state["crossnet.cross_layers.0.bias"].shape[0]
    yield "cross_out.weight", state["fc.weight"][:, :width]
    yield "deep.out.weight", state["fc.weight"][:, width:]
    yield "deep.out.bias", state["fc.bias"]


def _dcn_v2_mixture(state: State) -> Pairs:
    yield "cross.gate.weight", torch.cat([state[f"crossnet.gating.{expert}.weight"] for expert in range(2)])
    for layer in range(2):
        ours = f"cross.layers.{layer}"
        yield f"{ours}.down", state[f"crossnet.V_list.{layer}"]
        yield f"{ours}.core", state[f"crossnet.C_list.{layer}"].transpose(1, 2)
        yield f"{ours}.up", state[f"crossnet.U_list.{layer}"].transpose(1, 2)
        yield f"{ours}.bias", state[f"crossnet.bias.{layer}"]
    yield from _block(state, "stacked_dnn", "deep.layers")
    yield from _linear(state, "fc", "deep.out")


def _xdeepfm(state: State) -> Pairs:
    for layer in range(2):
        yield from _linear(state, f"cin.cin_layer.layer_{layer + 1}", f"cin.layers.{layer}.linear")
    yield from _linear(state, "cin.fc", "cin_out")
    yield from _block(state, "dnn", "deep.layers", out="deep.out")


def _autoint(state: State) -> Pairs:
    names = {"W_q": "query", "W_k": "key", "W_v": "value", "W_res": "widen", "layer_norm": "norm"}
    for layer in range(2):
        for theirs, ours in names.items():
            yield from _linear(state, f"self_attention.{layer}.{theirs}", f"attention.{layer}.{ours}")
    yield from _linear(state, "fc", "out")
    yield from _block(state, "dnn", "deep.layers", out="deep.out")


def _finalmlp(state: State) -> Pairs:
    for place in (1, 2):
        yield from _block(
            state, f"fs_module.fs{place}_gate", f"gates.{place - 1}.mlp.layers", out=f"gates.{place - 1}.mlp.out"
        )
        yield from _block(state, f"mlp{place}", f"streams.{place - 1}")
    yield "gates.1.learned", state["fs_module.fs2_ctx_bias"]
    yield "fusion.weight", state["fusion_module.w_xy"]
    yield "fusion.first.weight", state["fusion_module.w_x.weight"]
    yield "fusion.first.bias", state["fusion_module.w_x.bias"] + state["fusion_module.w_y.bias"]
    yield "fusion.second.weight", state["fusion_module.w_y.weight"]


def _din(state: State) -> Pairs:
    unit, ours = "attention_layers.0.attention_layer.mlp", "encoders.0.layer.unit"
    yield from _linear(state, f"{unit}.0", f"{ours}.0")
    yield f"{ours}.1.alpha", state[f"{unit}.1.alpha"]
    for key in ("running_mean", "running_var"):
        yield f"{ours}.1.norm.{key}", state[f"{unit}.1.bn.{key}"]
    yield from _linear(state, f"{unit}.2", f"{ours}.2")
    yield from _block(state, "dnn", "network.mlp.layers", out="network.mlp.out")


_NETWORKS: dict[str, Callable[[State], Pairs]] = {
    "MLP": _mlp,
    "DCNv2": _dcn_v2,
    "DCNv2 of mixtures": _dcn_v2_mixture,
    "xDeepFM": _xdeepfm,
    "AutoInt": _autoint,
    "FinalMLP": _finalmlp,
    "DIN": _din,
}

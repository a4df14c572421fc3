"""Load weights of the published RankElastor code into our network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from rankelastor.config.explain import explain_validation_error
from rankelastor.errors import SettingsError
from rankelastor.models.mixer import MixerNetwork
from rankelastor.models.rankelastor import RankElastorSettings
from rankelastor.nn.block import Block
from rankelastor.nn.ffn.gate import PublishedGate, UnitExpansionGate
from rankelastor.nn.ffn.hyper_connections import HyperConnection
from rankelastor.nn.head import LinearHead, MlpHead
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.kronecker import KroneckerMixing
from rankelastor.nn.mixing.split import SplitMixing
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm
from rankelastor.nn.sizes import SizesDoNotFit
from rankelastor.nn.tokenizer.reshape import ReshapeTokenizer
from rankelastor.schema import FeatureSchema, NumericFeature

_MIXINGS: dict[int, dict[str, Any]] = {
    1: {"kind": "identity"},
    2: {"kind": "split"},
    999: {"kind": "full"},
    8881: {"kind": "kronecker", "num_groups": 26, "norm": "pre"},
    8882: {"kind": "kronecker", "num_groups": 2, "norm": "post"},
}
MIXING_TYPES = tuple(_MIXINGS)
"""Numbers by which the published code chooses a mixing."""

_TOKENIZERS = {"matrix": "split", "vector": "joint"}
_HEADS = {"mlp": "mlp", "flatten": "linear", "mean": "mean", "noparam_mean": "mean"}
# Names of a gate's maps in the published code, in the order in which our gates concatenate them.
_LIFTS: dict[type, tuple[str, ...]] = {
    PublishedGate: ("fc_lift1", "fc_lift2", "skip2", "skip1"),
    UnitExpansionGate: ("fc_lift1", "fc_lift2", "skip1"),
}


# Names of a hyper-connection's parameters, ours and those of the published code.
_CONNECTION = {
    "alpha": "ffn_mHC.static_alpha",
    "beta": "ffn_mHC.static_beta",
    "alpha_scale": "ffn_mHC.dynamic_alpha_scale",
    "beta_scale": "ffn_mHC.dynamic_beta_scale",
    "norm.weight": "ffn_mHC.layer_norm.gamma",
    "gate_norm.weight": "ffn_norm.gamma",
}
_STEPS = (nn.Linear, nn.RMSNorm, PerTokenRMSNorm, PerTokenLinear, PublishedGate, UnitExpansionGate, HyperConnection)


def network_from_state(state: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> MixerNetwork:
    """Build a network with the weights of the published code, in their precision and in evaluation mode.

    Args:
        state: parameter names of the published code and their arrays.
        settings: its settings, with the keys ``num_fields``, ``embedding_dim``, ``num_tokens``, ``token_dim``,
            ``num_blocks``, ``published_mixing_type`` (a number, or a list of one per block), ``use_tokenizer``,
            ``projection``, ``ffn``, ``head``, and with a rotation ``use_opq`` and ``opq_momentum``.

    Returns:
        A module from ``Embedded`` to logits (batch, 1).

    Raises:
        SettingsError: a setting has no equal here, or parameters are missing, left over or of another shape.
    """
    if not state:
        raise SettingsError("the published state must hold parameters, but it is empty")
    dtype = torch.from_numpy(next(iter(state.values()))).dtype
    network = _fresh_network(settings).to(dtype).eval()
    try:
        network.load_state_dict(translate_state(state, settings))
    except RuntimeError as error:
        raise SettingsError(f"published parameters must fit their settings, but {error}") from error
    return network


def translate_state(state: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> dict[str, Tensor]:
    """Translate arrays by published names (parameters or their gradients) to tensors by the names of our network.

    Raises:
        SettingsError: an array is missing or left over.
    """
    translation = _Translation(state)
    with torch.device("meta"):
        translated = dict(_translate(translation, _fresh_network(settings)))
    translation.check_all_used()
    return translated


def model_settings(settings: Mapping[str, Any]) -> RankElastorSettings:
    """Translate settings of the published code to ours.

    Raises:
        SettingsError: a setting is missing, or a variant or value is unknown.
    """
    try:
        values = {
            "kind": "rankelastor",
            **{key: settings[key] for key in ("embedding_dim", "num_tokens", "token_dim", "num_blocks")},
            "tokenizer": _tokenizer(settings),
            **_mixings(settings),
            "rotation": _rotation(settings),
            "ffn": _ffn(settings["ffn"]),
            "head": {"kind": _look_up(_HEADS, settings["head"], "head")},
        }
        return RankElastorSettings.model_validate(values)
    except KeyError as error:
        raise SettingsError(f"the published settings must hold {error}, but do not") from None
    except ValidationError as error:
        source = "published settings"
        raise SettingsError(explain_validation_error(error, RankElastorSettings, source=source)) from None


def _fresh_network(settings: Mapping[str, Any]) -> MixerNetwork:
    fields = tuple(NumericFeature(f"field{index}") for index in range(settings["num_fields"]))
    try:
        return model_settings(settings).network(FeatureSchema(fields))
    except SizesDoNotFit as error:
        raise SettingsError(f"published settings: {error}") from error


def _tokenizer(settings: Mapping[str, Any]) -> dict[str, Any]:
    if not settings["use_tokenizer"]:
        return {"kind": "none"}
    projection = settings["projection"]
    return {
        "kind": _look_up(_TOKENIZERS, projection["trans_type"], "projection.trans_type"),
        "hidden_dims": projection["hidden_units"],
        "activation": projection["activation"],
        "norm": projection["use_layer_norm"],
        "dropout": projection["dropout"],
    }


def _mixings(settings: Mapping[str, Any]) -> dict[str, Any]:
    given = settings["published_mixing_type"]
    if not isinstance(given, list):
        return {"mixing": _look_up(_MIXINGS, given, "published_mixing_type")}
    if len(given) != settings["num_blocks"]:
        raise SettingsError(
            f"published_mixing_type must hold one mixing for each of {settings['num_blocks']} blocks, but {given} "
            "was given"
        )
    mixings = [_look_up(_MIXINGS, each, "published_mixing_type") for each in given]
    alike = all(each == given[0] for each in given)
    return {"mixing": mixings[0]} if mixings and alike else {"mixings": mixings}


def _rotation(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    if not settings.get("use_opq", False):
        return None
    return {"kind": "eigenvalue", "momentum": settings.get("opq_momentum", 0.1)}


def _ffn(ffn: Mapping[str, Any]) -> dict[str, Any]:
    shared = {"hidden_dims": ffn["hidden_units"], "norm": ffn["use_layer_norm"], "dropout": ffn["dropout"]}
    gated = {"expansion": ffn.get("expansion_rate"), "bias": ffn.get("bias", True), **shared}
    if ffn["activation"] == "swiglu":
        return {"kind": "glu", "gate": "published", **gated}
    if ffn["activation"] == "swiglu-mhc":
        return {"kind": "hyper_glu", **gated}
    return {"kind": "mlp", "activation": ffn["activation"], **shared}


def _look_up(table: Mapping[Any, Any], key: Any, name: str) -> Any:
    if key not in table:
        raise SettingsError(f"{name} must be one of {list(table)}, but {key!r} was given")
    return table[key]


class _Translation:
    """The arrays of a published state, with a record of those that were used."""

    def __init__(self, state: Mapping[str, np.ndarray]) -> None:
        self._state = state
        self._taken: set[str] = set()

    def take(self, name: str) -> Tensor:
        if name not in self._state:
            raise SettingsError(f"the published state must hold {name}, but it does not")
        self._taken.add(name)
        return torch.from_numpy(self._state[name])

    def holds(self, name: str) -> bool:
        return name in self._state

    def steps(self, prefix: str) -> list[str]:
        """List the prefixes ``prefix.{i}`` that have parameters, in order."""
        indices = {int(name[len(prefix) + 1 :].split(".")[0]) for name in self._state if name.startswith(f"{prefix}.")}
        return [f"{prefix}.{index}" for index in sorted(indices)]

    def check_all_used(self) -> None:
        left_over = sorted(set(self._state) - self._taken)
        if left_over:
            raise SettingsError(f"the published state holds parameters that these settings do not have: {left_over}")


def _translate(state: _Translation, network: MixerNetwork) -> Iterator[tuple[str, Tensor]]:
    """Walk our modules and take the published arrays in turn; both have their parameters in the same order."""
    yield "tokenizer.norm.weight", state.take("embedding_tokenization.pre_norm.gamma")
    if not isinstance(network.tokenizer, ReshapeTokenizer):
        mlp = network.tokenizer.get_submodule("mlp")
        yield from _translate_steps(state, mlp, ["embedding_tokenization.mlp"], "tokenizer.mlp")
    for index, module in enumerate(network.blocks):
        block = cast("Block", module)
        if block.rotation is not None:
            yield from _rotation_buffers(state, f"backbone.{index}.token_mixing", f"blocks.{index}.rotation")
        yield from _translate_mixing(state, block.mixing, f"backbone.{index}.token_mixing", f"blocks.{index}.mixing")
        yield f"blocks.{index}.norm.weight", state.take(f"backbone.{index}.layer_norm1.gamma")
        num_tokens = len(next(block.pffn.parameters()))
        ffns = [f"backbone.{index}.token_interaction.parallel_ffns.{token}" for token in range(num_tokens)]
        yield from _translate_steps(state, block.pffn.ffn, ffns, f"blocks.{index}.pffn.ffn")
    match network.head:
        case MlpHead():
            yield from _translate_steps(state, network.head, ["pred"], "head")
        case LinearHead():
            yield from _linear(state, state.steps("pred")[0], "head.linear")


def _translate_steps(
    state: _Translation, ours: nn.Module, theirs: Sequence[str], our_name: str
) -> Iterator[tuple[str, Tensor]]:
    """Translate the steps of one of our MLPs from one published sequence, or from one sequence per token."""
    published = zip(*(state.steps(prefix) for prefix in theirs), strict=True)
    for (name, step), steps in zip(_steps(ours, our_name), published, strict=True):
        yield from _translate_step(state, step, steps, name)


def _steps(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    """Iterate over the layers inside a module that are one step each in the published code, in order."""
    for child_name, child in module.named_children():
        if isinstance(child, _STEPS):
            yield f"{name}.{child_name}", child
        else:
            yield from _steps(child, f"{name}.{child_name}")


def _translate_step(
    state: _Translation, step: nn.Module, theirs: Sequence[str], ours: str
) -> Iterator[tuple[str, Tensor]]:
    match step:
        case nn.Linear():
            yield from _linear(state, theirs[0], ours)
        case nn.RMSNorm():
            yield f"{ours}.weight", state.take(f"{theirs[0]}.gamma")
        case PerTokenRMSNorm():
            yield f"{ours}.weight", torch.stack([state.take(f"{name}.gamma") for name in theirs])
        case PerTokenLinear():
            yield from _per_token_linear(state, [(name,) for name in theirs], ours, bias=step.bias is not None)
        case PublishedGate() | UnitExpansionGate():
            yield from _translate_gate(state, step, theirs, ours)
        case HyperConnection():
            yield from _translate_connection(state, step, theirs, ours)


def _translate_gate(
    state: _Translation, gate: PublishedGate | UnitExpansionGate, theirs: Sequence[str], ours: str
) -> Iterator[tuple[str, Tensor]]:
    lifted = [[f"{name}.{lift}" for lift in _LIFTS[type(gate)]] for name in theirs]
    yield from _per_token_linear(state, lifted, f"{ours}.lift", bias=gate.lift.bias is not None)
    if isinstance(gate, PublishedGate):
        reduced = [(f"{name}.fc_reduce",) for name in theirs]
        yield from _per_token_linear(state, reduced, f"{ours}.reduce", bias=gate.reduce.bias is not None)


def _translate_connection(
    state: _Translation, connection: HyperConnection, theirs: Sequence[str], ours: str
) -> Iterator[tuple[str, Tensor]]:
    for our_name, name in _CONNECTION.items():
        yield f"{ours}.{our_name}", torch.stack([state.take(f"{token}.{name}") for token in theirs])
    for our_name, name in (("alpha_map", "dynamic_alpha_fn"), ("beta_map", "dynamic_beta_fn")):
        yield from _per_token_linear(state, [(f"{token}.ffn_mHC.{name}",) for token in theirs], f"{ours}.{our_name}")
    assert isinstance(connection.gate, PublishedGate | UnitExpansionGate), "published gates"
    yield from _translate_gate(state, connection.gate, [f"{token}.ffn" for token in theirs], f"{ours}.gate")


def _rotation_buffers(state: _Translation, theirs: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    """Translate the buffers of a rotation, which gradients lack."""
    if state.holds(f"{theirs}.opq_R"):
        yield f"{ours}.rotation", state.take(f"{theirs}.opq_R")
        yield f"{ours}.mean", state.take(f"{theirs}.running_mean")
        yield f"{ours}.covariance", state.take(f"{theirs}.running_cov")
        yield f"{ours}.has_seen_tokens", torch.tensor(True, device="cpu")  # noqa: FBT003 - a buffer


def _translate_mixing(state: _Translation, mixing: nn.Module, theirs: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    match mixing:
        case SplitMixing():
            yield from _linear(state, f"{theirs}.layer_norm", f"{ours}.norm")
        case FullMixing():
            yield f"{ours}.norm.weight", state.take(f"{theirs}.pre_norm.gamma")
            yield from _linear(state, f"{theirs}.cross_mixing", f"{ours}.linear")
        case KroneckerMixing():
            yield f"{ours}.linear.weight", state.take(f"{theirs}.permutation_mixing.weight")
            if isinstance(mixing.pre_norm, nn.RMSNorm):
                yield f"{ours}.pre_norm.weight", state.take(f"{theirs}.l_norm.gamma")
            else:
                yield from _linear(state, f"{theirs}.l_norm", f"{ours}.post_norm")


def _linear(state: _Translation, theirs: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    for name in ("weight", "bias"):
        yield f"{ours}.{name}", state.take(f"{theirs}.{name}")


def _per_token_linear(
    state: _Translation, maps_of_token: Sequence[Sequence[str]], ours: str, *, bias: bool = True
) -> Iterator[tuple[str, Tensor]]:
    """Concatenate the published (out, in) maps of each token to our (token, in, out) weights."""
    weights = [torch.cat([state.take(f"{name}.weight").T for name in maps], dim=1) for maps in maps_of_token]
    yield f"{ours}.weight", torch.stack(weights)
    if bias:
        biases = [torch.cat([state.take(f"{name}.bias") for name in maps]) for maps in maps_of_token]
        yield f"{ours}.bias", torch.stack(biases)

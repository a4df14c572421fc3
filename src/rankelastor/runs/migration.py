"""Give weights that version 0.1.0 wrote the parameter names of today.

Its MLPs were sequences, so that the names of their parameters held positions. Today layers have names:

.. code-block:: text

    version 0.1.0                             today
    backbone.                                 network.
    tokenizer.mlp.0 .1 ... .4                 tokenizer.mlp.layers.0.linear, .layers.0.norm, ..., .out
    tokenizer.mlps.2.0 ...                    tokenizer.mlps.2.layers.0.linear, ..., .out
    blocks.0.pffn.ffn.0 .3       (MLP)        blocks.0.pffn.ffn.layers.0.linear, ..., .out
    blocks.0.pffn.ffn.0 .1 .3    (GLU)        blocks.0.pffn.ffn.layers.0.norm, .layers.0.gate, ..., .out
    head.mlp.0 .2                             head.hidden, .out
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter

from torch import Tensor

_SEQUENCE = re.compile(
    r"^(?P<sequence>backbone\.(tokenizer\.mlp|tokenizer\.mlps\.\d+|blocks\.\d+\.pffn\.ffn|head\.mlp))"
    r"\.(?P<position>\d+)\.(?P<rest>.+)$"
)
_HEAD = "backbone.head.mlp"
_HEAD_LAYERS = ("backbone.head.hidden", "backbone.head.out")


def with_names_of_today(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of version 0.1.0; those that have the names of today keep them.

    Example:
        >>> import torch
        >>> list(with_names_of_today({"backbone.head.linear.bias": torch.zeros(1)}))
        ['network.head.linear.bias']
    """
    new_names = new_names_of(weights)
    return {new_names[name]: tensor for name, tensor in weights.items()}


def new_names_of(names: Iterable[str]) -> dict[str, str]:
    """Map the parameter names of version 0.1.0 to those of today.

    Example:
        >>> new_names_of(["backbone.tokenizer.mlp.0.weight", "backbone.tokenizer.mlp.0.bias", "embedding.table"])
        {'backbone.tokenizer.mlp.0.weight': 'network.tokenizer.mlp.out.weight', \
'backbone.tokenizer.mlp.0.bias': 'network.tokenizer.mlp.out.bias', 'embedding.table': 'embedding.table'}
    """
    names = list(names)
    found = sorted(
        (match["sequence"], int(match["position"]), match["rest"]) for match in map(_SEQUENCE.match, names) if match
    )
    layers: dict[tuple[str, int], str] = {}
    for sequence, members in groupby(found, key=itemgetter(0)):
        parts: dict[int, set[str]] = defaultdict(set)
        for _, position, rest in members:
            parts[position].add(rest)
        layers |= {(sequence, position): layer for position, layer in _layers_of(sequence, parts).items()}
    return {name: _new_name(name, layers) for name in names}


def _new_name(name: str, layers: Mapping[tuple[str, int], str]) -> str:
    match = _SEQUENCE.match(name)
    if match is not None:
        name = f"{layers[match['sequence'], int(match['position'])]}.{match['rest']}"
    return re.sub(r"^backbone\.", "network.", name)


def _layers_of(sequence: str, parts: Mapping[int, set[str]]) -> dict[int, str]:
    """Name the layers of a sequence by position.

    Args:
        sequence: the prefix of its names.
        parts: by position, in order, the parameters of each layer that has any: a norm has a weight alone, a gate has
            a ``lift``, a linear map has weight and bias, and the last linear map is the one out.
    """
    if sequence == _HEAD:
        return dict(zip(parts, _HEAD_LAYERS, strict=True))
    has_gates = any(_is_gate(rest) for rest in parts.values())
    *hidden, last = parts
    kinds = {position: _kind(parts[position], has_gates=has_gates) for position in hidden}
    layers, index = {}, -1
    for position, kind in kinds.items():
        index += kind == kinds[hidden[0]]  # each hidden width begins with the same kind of layer
        layers[position] = f"{sequence}.layers.{index}.{kind}"
    return {**layers, last: f"{sequence}.out"}


def _kind(rest: set[str], *, has_gates: bool) -> str:
    if _is_gate(rest):
        return "gate"
    if rest == {"weight"}:
        return "norm"
    return "widen" if has_gates else "linear"


def _is_gate(rest: set[str]) -> bool:
    return any(name.startswith("lift.") for name in rest)

"""The outline of a ranker: its parts as a tree with shapes and parameter counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rankelastor.models.cost import blank_batch, unfilled_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.schema import Batch, FeatureSchema

_MAX_DEPTH = 9


@dataclass(frozen=True)
class OutlineNode:
    """One module: its name, its class, its output shape for one example, its number of parameters, its children."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    num_parameters: int
    parts: tuple[OutlineNode, ...]


def outline(settings: RankerSettings, schema: FeatureSchema) -> OutlineNode:
    """Make the outline of the ranker with these settings, without allocating its parameters."""
    ranker = unfilled_ranker(settings, schema)
    return _node(settings.kind, ranker, _output_shapes(ranker, blank_batch(ranker, schema)), depth=0)


def point_shapes(settings: RankerSettings, schema: FeatureSchema) -> dict[str, tuple[int, ...]]:
    """Compute the shape (token, dim) of the token matrix at each point; empty for a model without points."""
    ranker = unfilled_ranker(settings, schema)
    shapes = _output_shapes(ranker, blank_batch(ranker, schema)) if ranker.points else {}
    return {name: shapes[module] for name, module in ranker.points.items()}


def _output_shapes(ranker: Ranker, example: Batch) -> dict[nn.Module, tuple[int, ...]]:
    """Compute the output shape of each module for one example, if its output is a tensor."""
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note_shape(module: nn.Module, _inputs: object, output: object) -> None:
        tensor = output.fields if isinstance(output, Embedded) else output
        if isinstance(tensor, Tensor):
            shapes[module] = tuple(tensor.shape[1:])

    for module in ranker.modules():
        module.register_forward_hook(note_shape)
    with torch.no_grad():
        ranker(example)
    return shapes


def _node(name: str, module: nn.Module, shapes: dict[nn.Module, tuple[int, ...]], *, depth: int) -> OutlineNode:
    children = [
        (child_name, child)
        for child_name, child in module.named_children()
        if depth < _MAX_DEPTH and (child in shapes or list(child.parameters()))  # without empty lists of modules
    ]
    return OutlineNode(
        name=name,
        kind=type(module).__name__,
        output_shape=shapes.get(module, ()),
        num_parameters=sum(parameter.numel() for parameter in module.parameters()),
        parts=tuple(_node(child_name, child, shapes, depth=depth + 1) for child_name, child in children),
    )

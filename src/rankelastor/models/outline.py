"""The outline of a ranker: its parts as a tree with shapes and parameter counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rankelastor.models.cost import meta_batch, meta_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.schema import FeatureSchema

_MAX_DEPTH = 9


@dataclass(frozen=True)
class Part:
    """One module: its name, its class, the shape it puts out for one example, its parameters, its own parts."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    num_parameters: int
    parts: tuple[Part, ...]


def outline(settings: RankerSettings, schema: FeatureSchema) -> Part:
    """Make the outline of the ranker that these settings give; nothing of its size is allocated."""
    ranker = meta_ranker(settings, schema)
    return _part(settings.kind, ranker, _output_shapes(ranker, schema), depth=0)


def point_shapes(settings: RankerSettings, schema: FeatureSchema) -> dict[str, tuple[int, ...]]:
    """Compute the shape (token, dim) of one example's token matrix at each point; empty for a model without points."""
    ranker = meta_ranker(settings, schema)
    shapes = _output_shapes(ranker, schema) if ranker.points else {}
    return {name: shapes[module] for name, module in ranker.points.items()}


def _output_shapes(ranker: Ranker, schema: FeatureSchema) -> dict[nn.Module, tuple[int, ...]]:
    """The shape of what each module puts out for one example, where that is a tensor."""
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note_shape(module: nn.Module, _inputs: object, output: object) -> None:
        tensor = output.fields if isinstance(output, Embedded) else output
        if isinstance(tensor, Tensor):
            shapes[module] = tuple(tensor.shape[1:])

    for module in ranker.modules():
        module.register_forward_hook(note_shape)
    with torch.no_grad():
        ranker(meta_batch(schema))
    return shapes


def _part(name: str, module: nn.Module, shapes: dict[nn.Module, tuple[int, ...]], *, depth: int) -> Part:
    children = [
        (child_name, child)
        for child_name, child in module.named_children()
        if depth < _MAX_DEPTH and (child in shapes or list(child.parameters()))  # no empty lists of modules
    ]
    return Part(
        name=name,
        kind=type(module).__name__,
        output_shape=shapes.get(module, ()),
        num_parameters=sum(parameter.numel() for parameter in module.parameters()),
        parts=tuple(_part(child_name, child, shapes, depth=depth + 1) for child_name, child in children),
    )

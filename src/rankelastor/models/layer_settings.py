"""Make the settings of a layer from its signature, so that defaults and ranges are written only there."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from types import GenericAlias
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import Field, create_model
from torch import nn

from rankelastor.config.base import Settings

Fields = dict[str, tuple[Any, Any]]
"""Settings by name, each with its annotation and its default; ``...`` marks a required setting."""


class LayerSettings(Settings):
    """Settings of one layer of a model; ``kind`` names the layer."""

    kind: str


def fields_of(layer: type[nn.Module], *, given: Collection[str]) -> Fields:
    """Read the settings of a layer, with descriptions, from its keyword-only arguments.

    Args:
        layer: the layer's class.
        given: arguments that the model passes, which are not settings.

    Example:
        >>> from rankelastor.nn.mixing.kronecker import KroneckerMixing
        >>> fields = fields_of(KroneckerMixing, given=["num_tokens", "token_dim"])
        >>> {name: default for name, (_, default) in fields.items()}
        {'num_groups': Ellipsis, 'norm': 'pre'}
    """
    annotations, described = get_type_hints(layer.__init__, include_extras=True), descriptions_of(layer)
    annotated: Any = Annotated
    return {
        name: (
            annotated[_make_immutable(annotations[name]), Field(description=described.get(name))],
            ... if argument.default is argument.empty else argument.default,
        )
        for name, argument in inspect.signature(layer.__init__).parameters.items()
        if argument.kind is argument.KEYWORD_ONLY and name not in given
    }


def settings_class(
    layer: type[nn.Module], *, kind: str, fields: Fields, base: type[LayerSettings] = LayerSettings
) -> type[LayerSettings]:
    """Make the settings class of a layer: ``kind`` and the fields, with the first paragraph of the layer's docstring.

    ``base`` has the settings that all layers of a choice share.

    Example:
        >>> from rankelastor.nn.head import MeanHead
        >>> made = settings_class(MeanHead, kind="mean", fields={})
        >>> made.__name__, made(kind="mean")
        ('MeanHeadSettings', MeanHeadSettings(kind='mean'))
    """
    literal: Any = Literal
    made: type[LayerSettings] = create_model(
        f"{layer.__name__}Settings",
        __base__=base,
        __doc__=(inspect.getdoc(layer) or "").split("\n\n")[0],
        __module__=layer.__module__,
        kind=(literal[kind], ...),
        **fields,  # type: ignore[call-overload]
    )
    return made


def _make_immutable(annotation: Any) -> Any:
    """Replace ``Sequence[X]`` by ``tuple[X, ...]`` and ``Mapping[K, V]`` by ``dict[K, V]`` in an annotation."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        annotated: Any = Annotated
        return annotated[(_make_immutable(arguments[0]), *arguments[1:])]
    if origin is Sequence:
        return GenericAlias(tuple, (_make_immutable(arguments[0]), ...))
    if origin is Mapping:
        return GenericAlias(dict, (arguments[0], _make_immutable(arguments[1])))
    return annotation


def descriptions_of(layer: type[nn.Module]) -> dict[str, str]:
    """Read the description of each argument, in Markdown, from the ``Args:`` section of the layer's docstring.

    Example:
        >>> from rankelastor.nn.mixing.kronecker import KroneckerMixing
        >>> descriptions_of(KroneckerMixing)["num_groups"]
        'Number of rows that share the map; it must divide T * D.'
    """
    section = (inspect.getdoc(layer) or "").partition("\nArgs:\n")[2].partition("\n\n")[0]
    described: dict[str, str] = {}
    for line in section.splitlines():
        name, colon, text = line.strip().partition(": ")
        if colon and line.startswith("    ") and line[4] != " ":
            described[last := name] = text
        elif described:
            described[last] += f" {line.strip()}"
    return {name: f"{text[:1].upper()}{text[1:]}".replace("``", "`") for name, text in described.items()}

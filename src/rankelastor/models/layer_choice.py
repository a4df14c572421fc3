"""A choice of layers by ``kind``, with settings made from the layers' signatures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from rankelastor.config.base import one_of
from rankelastor.models.layer_settings import (
    Fields,
    LayerSettings,
    descriptions_of,
    fields_of,
    settings_class,
)


@dataclass(frozen=True)
class Variant:
    """One layer of a choice, with those of its arguments that are not plain values.

    Attributes:
        layer: the layer's class.
        choices: choice for each argument that makes a module of several classes; its settings nest under the argument.
        inlined: variant for each argument that makes a module of one class; its settings are listed beside the others.
        given: arguments that the model passes, which are not settings.
    """

    layer: type[nn.Module]
    choices: Mapping[str, LayerChoice] = field(default_factory=dict)
    inlined: Mapping[str, Variant] = field(default_factory=dict)
    given: Collection[str] = ()

    @property
    def fields(self) -> Fields:
        """Settings by name, with annotation and default."""
        fields: Fields = {}
        annotated: Any = Annotated
        for name, (annotation, default) in fields_of(self.layer, given=self.given).items():
            if name in self.choices:
                described = Field(description=descriptions_of(self.layer).get(name))
                choice = self.choices[name]
                fields[name] = (annotated[choice.annotation, described], choice.settings_of(default))
            elif name in self.inlined:
                fields |= self.inlined[name].fields
            else:
                fields[name] = (annotation, default)
        return fields

    def factory(self, settings: LayerSettings) -> Callable[..., nn.Module]:
        """Make a function that builds the layer from the remaining arguments."""
        arguments: dict[str, Any] = {}
        for name in fields_of(self.layer, given=self.given):
            if name in self.choices:
                arguments[name] = self.choices[name].factory(getattr(settings, name))
            elif name in self.inlined:
                arguments[name] = self.inlined[name].factory(settings)
            else:
                arguments[name] = getattr(settings, name)
        return partial(self.layer, **arguments)


class LayerChoice:
    """Layers that are interchangeable in a model, by ``kind``.

    Args:
        layers: the layer's class for each kind; a ``Variant`` of it if an argument is itself a layer.
        given: arguments that the model passes, such as sizes and field names, which are not settings. A layer receives
            those that its signature names.
        base: settings that all layers of the choice share, and that no layer receives.

    Example:
        >>> from rankelastor.nn.mixing.full import FullMixing
        >>> from rankelastor.nn.mixing.low_rank import LowRankMixing
        >>> mixings = LayerChoice({"full": FullMixing, "low_rank": LowRankMixing}, given=["num_tokens", "token_dim"])
        >>> settings = mixings.settings("low_rank", {"rank": 2})
        >>> settings
        LowRankMixingSettings(kind='low_rank', rank=2)
        >>> mixings.build(settings, {"num_tokens": 4, "token_dim": 6}).down
        Linear(in_features=24, out_features=2, bias=False)
    """

    def __init__(
        self,
        layers: Mapping[str, type[nn.Module] | Variant],
        *,
        given: Collection[str],
        base: type[LayerSettings] = LayerSettings,
    ) -> None:
        variants = {kind: layer if isinstance(layer, Variant) else Variant(layer) for kind, layer in layers.items()}
        self._given = tuple(given)
        self._variants = {kind: replace(variant, given=self._given) for kind, variant in variants.items()}
        self.classes = {
            kind: settings_class(variant.layer, kind=kind, fields=variant.fields, base=base)
            for kind, variant in self._variants.items()
        }

    @property
    def annotation(self) -> Any:
        """Type of a setting that holds the settings of one of the layers."""
        return one_of(self.classes.values())

    def settings(self, kind: str, values: Mapping[str, Any] | None = None) -> LayerSettings:
        """Make the settings of the layer of this kind; settings not in ``values`` have their defaults."""
        return self.classes[kind].model_validate({"kind": kind, **(values or {})})

    def settings_of(self, layer: type[nn.Module]) -> LayerSettings:
        """Make the default settings of a layer by its class."""
        return self.settings(next(kind for kind, variant in self._variants.items() if variant.layer is layer))

    def factory(self, settings: LayerSettings) -> Callable[..., nn.Module]:
        """Make a function that builds the layer of these settings from the arguments in ``given``."""
        return self._variants[settings.kind].factory(settings)

    def build(self, settings: LayerSettings, given: Mapping[str, Any]) -> nn.Module:
        """Make the layer of these settings, with initial values.

        Args:
            settings: settings of one of the layers.
            given: all arguments that the model passes, by name.

        Raises:
            SizesDoNotFit: the sizes and the settings do not fit each other.
        """
        assert set(given) == set(self._given), f"{sorted(given)} instead of {sorted(self._given)}"
        named = fields_of(self._variants[settings.kind].layer, given=())
        return self.factory(settings)(**{name: value for name, value in given.items() if name in named})

"""A choice among layers: a table from ``kind:`` to the layer's class."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from torch import nn

from rankelastor.config.base import one_of
from rankelastor.models.layer_settings import Fields, LayerSettings, fields_of, settings_class


@dataclass(frozen=True)
class Variant:
    """One layer of a choice, and which of its arguments are no plain values.

    Attributes:
        layer: the layer's class.
        choices: for arguments that make a module, the choice that the module is of: settings nest under the argument.
        inlined: for arguments that make a module of one class, that class: its settings stand beside the others.
        given: arguments that are no settings, since the model gives them.
    """

    layer: type[nn.Module]
    choices: Mapping[str, LayerChoice] = field(default_factory=dict)
    inlined: Mapping[str, Variant] = field(default_factory=dict)
    given: Collection[str] = ()

    @property
    def fields(self) -> Fields:
        """The settings by name, with annotation and default."""
        fields: Fields = {}
        for name, (annotation, default) in fields_of(self.layer, given=self.given).items():
            if name in self.choices:
                fields[name] = (self.choices[name].annotation, self.choices[name].settings_of(default))
            elif name in self.inlined:
                fields |= self.inlined[name].fields
            else:
                fields[name] = (annotation, default)
        return fields

    def factory(self, settings: LayerSettings) -> Callable[..., nn.Module]:
        """Give what makes the layer from the arguments that are left."""
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
    """Layers that can stand in the same place of a model, by ``kind``.

    Args:
        layers: by kind, the layer's class; a ``Variant`` of it where an argument is itself a layer.
        given: arguments that are no settings of the layers, since the model gives them: sizes, names of fields. A
            layer takes those that its signature names.

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

    def __init__(self, layers: Mapping[str, type[nn.Module] | Variant], *, given: Collection[str]) -> None:
        variants = {kind: layer if isinstance(layer, Variant) else Variant(layer) for kind, layer in layers.items()}
        self._given = tuple(given)
        self._variants = {kind: replace(variant, given=self._given) for kind, variant in variants.items()}
        self.classes = {
            kind: settings_class(variant.layer, kind=kind, fields=variant.fields)
            for kind, variant in self._variants.items()
        }

    @property
    def annotation(self) -> Any:
        """The type of a setting that holds the settings of one of the layers."""
        return one_of(self.classes.values())

    def settings(self, kind: str, values: Mapping[str, Any] | None = None) -> LayerSettings:
        """Make the settings of the layer of this kind, with defaults where ``values`` has none."""
        return self.classes[kind].model_validate({"kind": kind, **(values or {})})

    def settings_of(self, layer: type[nn.Module]) -> LayerSettings:
        """Make the settings of a layer by its class, with defaults."""
        return self.settings(next(kind for kind, variant in self._variants.items() if variant.layer is layer))

    def factory(self, settings: LayerSettings) -> Callable[..., nn.Module]:
        """Give what makes the layer of these settings from the arguments in ``given``."""
        return self._variants[settings.kind].factory(settings)

    def build(self, settings: LayerSettings, given: Mapping[str, Any]) -> nn.Module:
        """Make the layer of these settings, with fresh initial values.

        Args:
            settings: of one of the layers.
            given: the arguments that the model gives, all of them, by name.

        Raises:
            SizesDoNotFit: the sizes and the settings do not go together.
        """
        assert set(given) == set(self._given), f"{sorted(given)} instead of {sorted(self._given)}"
        named = fields_of(self._variants[settings.kind].layer, given=())
        return self.factory(settings)(**{name: value for name, value in given.items() if name in named})

"""What the package promises: names that can be imported, settings that are frozen."""

from importlib import import_module
from pkgutil import walk_packages

import pytest

import rankelastor
from rankelastor.config.base import Settings


def subclasses(base: type[Settings]) -> list[type[Settings]]:
    return [cls for direct in base.__subclasses__() for cls in [direct, *subclasses(direct)]]


def test_all_is_what_can_be_imported() -> None:
    for name in rankelastor.__all__:
        assert callable(getattr(rankelastor, name))
    with pytest.raises(AttributeError, match="has no attribute 'fit'; it has"):
        rankelastor.fit  # noqa: B018


def test_every_module_can_be_imported_and_says_what_it_is() -> None:
    for module in walk_packages(rankelastor.__path__, prefix="rankelastor."):
        if not module.name.endswith("__main__"):
            assert import_module(module.name).__doc__, module.name


def test_settings_are_frozen_and_refuse_unknown_keys() -> None:
    for cls in subclasses(Settings):
        assert cls.model_config["frozen"], cls
        assert cls.model_config["extra"] == "forbid", cls

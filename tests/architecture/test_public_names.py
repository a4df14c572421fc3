"""What the package promises: names that can be imported, settings that are frozen."""

import ast
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

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


def test_what_can_be_imported_is_in_all() -> None:
    assert len(set(rankelastor.__all__)) == len(rankelastor.__all__)
    tree = ast.parse(Path(rankelastor.__file__).read_text(encoding="utf-8"))
    for_mypy = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [each for block in for_mypy for each in block.body if isinstance(each, ast.ImportFrom)]
    promised = {alias.asname or alias.name for each in imports for alias in each.names}
    lazily = {name for name in rankelastor.__all__ if not name.startswith("__")}
    assert promised == lazily, "what type checkers see and what is promised must be the same"
    for name in dir(rankelastor):
        value = getattr(rankelastor, name)
        is_public = not name.startswith("_") and not isinstance(value, ModuleType) and callable(value)
        is_ours = getattr(value, "__module__", "").startswith("rankelastor")
        assert not (is_public and is_ours) or name in rankelastor.__all__, f"{name} is public, but not in __all__"


def test_every_module_can_be_imported_and_says_what_it_is() -> None:
    for module in walk_packages(rankelastor.__path__, prefix="rankelastor."):
        if not module.name.endswith("__main__"):
            assert import_module(module.name).__doc__, module.name


def test_settings_are_frozen_and_refuse_unknown_keys() -> None:
    for cls in subclasses(Settings):
        assert cls.model_config["frozen"], cls
        assert cls.model_config["extra"] == "forbid", cls

"""`rankelastor.spectrum` hands out its public names without import cycles and without loading torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from rankelastor import spectrum


def test_all_is_what_can_be_imported_and_what_type_checkers_see() -> None:
    tree = ast.parse(Path(spectrum.__file__).read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [each for block in blocks for each in block.body if isinstance(each, ast.ImportFrom)]
    homes = {alias.name: each.module for each in imports for alias in each.names}
    assert homes.keys() == set(spectrum.__all__)
    for name, home in homes.items():
        assert getattr(spectrum, name) is getattr(import_module(str(home)), name), name


def test_no_public_name_is_that_of_a_module_which_would_hide_it() -> None:
    assert not {module.name for module in iter_modules(spectrum.__path__)} & set(spectrum.__all__)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'effective_rank'; it has .*stable_rank"):
        spectrum.effective_rank  # noqa: B018


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, rankelastor.spectrum; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

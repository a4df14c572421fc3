"""Errors of the library speak Python; the command line shows its own options."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import rankelastor
from rankelastor import errors
from rankelastor.cli.option_names import OPTIONS, message_with_options
from rankelastor.errors import OVERWRITE, RankElastorError

SOURCE = Path(rankelastor.__file__).parent
OTHER_PROGRAMS = ("hadoop classpath", "pip install", "ray start")
"""Commands of other programs, whose options a message may name."""


def texts_of(path: Path) -> Iterator[str]:
    """All texts in a file but docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_the_library_names_no_option_of_the_command_line() -> None:
    for path in SOURCE.rglob("*.py"):
        if "cli" not in path.relative_to(SOURCE).parts:
            for text in texts_of(path):
                option = re.search(r"(?<![\w-])--[a-z][a-z-]*", text)
                is_argument = option is not None and option[0] == text.partition("=")[0]
                is_for_another_program = is_argument or any(command in text for command in OTHER_PROGRAMS)
                assert option is None or is_for_another_program, f"{path}: {text!r} names {option}"


def test_every_python_part_of_a_message_has_an_option() -> None:
    parts = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, str)}
    assert parts == set(OPTIONS)


def test_only_the_advice_at_the_end_is_replaced() -> None:
    error = RankElastorError(f"the output {OVERWRITE}.csv exists; try {OVERWRITE} to replace it", python=OVERWRITE)
    assert message_with_options(error) == f"the output {OVERWRITE}.csv exists; try --force to replace it"


def test_a_message_without_python_stays_as_it_is() -> None:
    assert message_with_options(RankElastorError(f"{OVERWRITE} is a file")) == f"{OVERWRITE} is a file"

"""The arguments of each kernel: the fields of its struct, read from the C source that declares it.

So each field is declared once. A value that is missing, unknown or of another kind raises an AssertionError here; in C
it would be a wrong pointer.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

FieldKind = Literal["pointer", "int64", "double"]

_FOLDER = Path(__file__).parent
_STRUCT = re.compile(r"typedef struct \{(?P<body>.*?)\} (?P<name>\w+);", re.DOTALL)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_KINDS: dict[str, tuple[FieldKind, str]] = {
    "int64_t": ("int64", "q"),
    "double": ("double", "d"),
}


@dataclass(frozen=True)
class KernelArguments:
    """The names and kinds of a kernel's arguments in the order in which C reads them, 8 bytes each."""

    names: tuple[str, ...]
    kinds: tuple[FieldKind, ...]
    layout: struct.Struct

    def pack(self, arguments: Mapping[str, Any]) -> bytes:
        """Pack values by name as C reads them: tensors as pointers, None as a null pointer."""
        assert len(arguments) == len(self.names), self._mistake(arguments)
        try:
            # For one example, packing takes as long as some layers: hence comprehensions and a prepared layout.
            values = [arguments[name] for name in self.names]
            return self.layout.pack(
                *[
                    (0 if value is None else value.data_ptr()) if kind == "pointer" else value
                    for value, kind in zip(values, self.kinds, strict=True)
                ]
            )
        except (KeyError, AttributeError, TypeError, ValueError, RuntimeError, struct.error) as error:
            raise AssertionError(self._mistake(arguments)) from error

    def _mistake(self, arguments: Mapping[str, Any]) -> str:
        """Say which argument is missing, unknown or of another kind."""
        unknown = set(self.names) ^ set(arguments)
        if unknown:
            return f"missing or unknown: {sorted(unknown)}"
        given = {name: f"{kind}, not {arguments[name]!r}" for name, kind in zip(self.names, self.kinds, strict=True)}
        return f"one of these is of another kind: {given}"


@cache
def arguments_of(kernel: str) -> KernelArguments:
    """Read the arguments of a kernel from its struct, ``GateForward`` for the kernel ``gate_forward``.

    Example:
        >>> arguments_of("find_rows").names
        ('lookups', 'num_rows', 'position_of_row', 'touched', 'position', 'num_touched')
    """
    name = "".join(part.capitalize() for part in kernel.split("_"))
    assert name in _bodies(), f"no struct {name} for the kernel {kernel}"
    fields = _fields(name)
    kinds = tuple(kind for _, kind in fields)
    layout = struct.Struct("".join("d" if kind == "double" else "q" for kind in kinds))
    names = tuple(name for name, _ in fields)
    return KernelArguments(names, kinds, layout)


def _fields(name: str) -> list[tuple[str, FieldKind]]:
    """List the fields of a struct; a nested struct is replaced by its own fields."""
    fields: list[tuple[str, FieldKind]] = []
    for declaration in filter(None, map(str.strip, _bodies()[name].split(";"))):
        kind, *_ = declaration.removeprefix("const ").split(maxsplit=1)
        declared = declaration.removeprefix("const ").removeprefix(kind)
        if kind in _bodies() and "*" not in declared:
            fields += _fields(kind)
            continue
        for each in declared.split(","):
            is_pointer = "*" in each
            fields.append((each.strip(" *\n"), "pointer" if is_pointer else _KINDS[kind][0]))
    return fields


@cache
def _bodies() -> dict[str, str]:
    """Find the text between the braces of each struct in the C sources."""
    sources = [_COMMENT.sub("", path.read_text(encoding="utf-8")) for path in sorted(_FOLDER.glob("*.[ch]"))]
    return {found["name"]: found["body"] for source in sources for found in _STRUCT.finditer(source)}

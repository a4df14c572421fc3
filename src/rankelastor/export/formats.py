"""The formats of an export, one line each: what must be there, how a program is written, and how the file scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor
from torch.export import ExportedProgram

from rankelastor.errors import SettingsError
from rankelastor.export.native_package import OpenPackage, require_compiler, write_package
from rankelastor.export.onnx_file import OpenOnnx, require_onnx, write_onnx
from rankelastor.export.torch_program import OpenProgram, write_program
from rankelastor.suggestions import did_you_mean

FormatName = Literal["onnx", "pt2", "aoti"]
Scores = Callable[[Mapping[str, Tensor]], Float64[ndarray, "row task"]]


@dataclass(frozen=True)
class ExportFormat:
    """A format.

    Attributes:
        name: its name.
        file: the name of the file in the folder.
        runtime: what runs the file, for messages.
        require: raises a ``SettingsError`` where something is missing that writing it needs.
        write: writes a program to a path.
        open: makes a scorer of a file.
    """

    name: FormatName
    file: str
    runtime: str
    require: Callable[[], None]
    write: Callable[[ExportedProgram, Path], None]
    open: Callable[[Path], Scores]


FORMATS: tuple[ExportFormat, ...] = (
    ExportFormat("onnx", "model.onnx", "ONNX Runtime", require_onnx, write_onnx, OpenOnnx),
    ExportFormat("pt2", "model.pt2", "PyTorch", lambda: None, write_program, OpenProgram),
    ExportFormat("aoti", "model.aoti.pt2", "AOTInductor", require_compiler, write_package, OpenPackage),
)


def format_of(name: str) -> ExportFormat:
    """Return the format of this name.

    Raises:
        SettingsError: there is none.
    """
    names = get_args(FormatName)
    found = next((each for each in FORMATS if each.name == name), None)
    if found is None:
        raise SettingsError(
            f"the format must be one of {', '.join(names)}, but {name!r} was given{_advice(name, names)}"
        )
    return found


def _advice(name: str, names: tuple[str, ...]) -> str:
    near = did_you_mean(name, names)
    return f"; {near}" if near else ""

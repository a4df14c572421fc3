"""Compile an exported program to a package of native code by AOTInductor, for services without Python or for speed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor
from torch.export import ExportedProgram

from rankelastor.errors import SettingsError, shorten
from rankelastor.export.torch_program import quiet_exporter


def require_compiler() -> None:
    """Check that there is a C++ compiler: that of ``CXX``, or g++.

    Raises:
        SettingsError: there is none.
    """
    if shutil.which(_compiler()) is None:
        raise SettingsError(
            f"a C++ compiler must be there for the format aoti, but {_compiler()} is not; install one, name it in CXX, "
            "or try the format pt2 or onnx, which need none"
        )


def _compiler() -> str:
    return os.environ.get("CXX", "g++")


def write_package(program: ExportedProgram, path: Path) -> None:
    """Compile the program into a package, to be read by ``torch._inductor.aoti_load_package``.

    Raises:
        SettingsError: the compiler fails.
    """
    from torch._inductor import aoti_compile_and_package  # noqa: PLC0415 - PyTorch documents it under this name
    from torch._inductor.exc import CppCompileError, InductorError, InvalidCxxCompiler  # noqa: PLC0415

    try:
        with quiet_exporter(), torch.no_grad():
            aoti_compile_and_package(program, package_path=str(path))
    except (CppCompileError, InductorError, InvalidCxxCompiler) as error:
        raise SettingsError(
            f"a C++ compiler that PyTorch can use must be there for the format aoti, but {_compiler()} fails: "
            f"{shorten(str(error))}; name another in CXX, or try the format pt2 or onnx, which need none"
        ) from error


class OpenPackage:
    """Scorer of a package, which loads and runs native code: for trusted files alone.

    Args:
        path: what ``write_package`` wrote.
    """

    def __init__(self, path: Path) -> None:
        from torch._inductor import aoti_load_package  # noqa: PLC0415

        with quiet_exporter():
            self._module = aoti_load_package(str(path))

    def __call__(self, rows: Mapping[str, Tensor]) -> Float64[ndarray, "row task"]:
        """Compute the probabilities of some rows."""
        with torch.no_grad():
            probabilities: Float64[ndarray, "row task"] = self._module(**rows).numpy()
        return probabilities

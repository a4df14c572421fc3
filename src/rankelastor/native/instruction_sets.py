"""Instruction sets that the kernels are built for, and the best of them that this processor has."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch

ProductsBy = Literal["tiles", "blas"]
"""What multiplies matrices inside the kernels: their own tiles, or the BLAS that PyTorch brings."""

PRODUCTS_SWITCH = "RANKELASTOR_PRODUCTS"
_AVX2_FLAGS = ("-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2")


@dataclass(frozen=True)
class InstructionSet:
    """What a build of the kernels needs from a processor.

    Attributes:
        name: its name in file names, results and ``RANKELASTOR_KERNELS``.
        flags: the compiler's flags for it.
    """

    name: str
    flags: tuple[str, ...]


AVX512 = InstructionSet(
    "avx512",
    # Loops that the compiler vectorises use half of a register: with whole ones processors lower their clock.
    (*_AVX2_FLAGS, "-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq", "-mprefer-vector-width=256"),
)
AVX2 = InstructionSet("avx2", _AVX2_FLAGS)
NEON = InstructionSet("neon", ())
PLAIN = InstructionSet("plain", ())
"""Whatever the compiler takes for granted."""

_X86 = {"x86_64", "amd64"}
_ARM = {"aarch64", "arm64"}


def possible_sets() -> tuple[InstructionSet, ...]:
    """List the instruction sets that this processor has and PyTorch uses, the best first.

    PyTorch can be held to fewer by ``ATEN_CPU_CAPABILITY``; the kernels are held to the same.

    Example:
        >>> PLAIN in possible_sets()
        True
    """
    machine = platform.machine().lower()
    if machine in _ARM:
        return (NEON, PLAIN)
    if machine not in _X86:
        return (PLAIN,)
    capability = torch.backends.cpu.get_cpu_capability()
    return {"AVX512": (AVX512, AVX2, PLAIN), "AVX2": (AVX2, PLAIN)}.get(capability, (PLAIN,))


def choose_set(wanted: str) -> InstructionSet:
    """Choose the instruction set of this name, or the best one if this processor lacks it or it is ``on``.

    Example:
        >>> choose_set("plain").name
        'plain'
    """
    return next((each for each in possible_sets() if each.name == wanted), possible_sets()[0])


def choose_products(instructions: InstructionSet) -> ProductsBy:
    """Choose what multiplies matrices, by the kind of processor alone, so that a run's numbers never depend on timing.

    Tiles are measured to be faster where the BLAS of PyTorch is MKL and the processor is not Intel's, or has no AVX-512
    (docs/log.md). ``RANKELASTOR_PRODUCTS=tiles`` or ``blas`` in the environment chooses otherwise.
    """
    wanted = os.environ.get(PRODUCTS_SWITCH)
    if wanted == "tiles":
        return "tiles"
    if wanted == "blas":
        return "blas"
    is_foreign = instructions is AVX512 and "GenuineIntel" not in _processor_vendor()
    return "tiles" if instructions is AVX2 or is_foreign else "blas"


@cache
def _processor_vendor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("vendor_id")), "")

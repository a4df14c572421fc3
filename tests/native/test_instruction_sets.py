"""Kernels for other processors compile, and compute plain sums; which are used is chosen by what the processor has."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rankelastor.execution.lowering import Lowering
from rankelastor.native import instruction_sets, library
from rankelastor.native.instruction_sets import (
    AVX2,
    AVX512,
    NEON,
    PLAIN,
    InstructionSet,
    choose_products,
    choose_set,
    possible_sets,
)
from rankelastor.nn.head import MlpHead

PROGRAM = Path(__file__).with_name("tiles_against_sums.c")
SOURCES = Path(library.__file__).parent
INNER = ("products.c", "strips.c", "tiles.c")
ARM_COMPILER, ARM_EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
BEST, *OTHERS = possible_sets()


def compile_program(compiler: str, instructions: InstructionSet, made: Path, *flags: str) -> None:
    """Compile the comparison with plain sums for one instruction set."""
    sources = [str(PROGRAM), *(str(SOURCES / name) for name in INNER)]
    options = [*(flag for flag in library._FLAGS if flag not in {"-shared", "-fPIC"}), *instructions.flags, *flags]
    command = [compiler, *options, "-I", str(SOURCES), "-o", str(made), *sources, "-lm"]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)


def run_program(*command: str) -> str:
    """Run the comparison; its output says what was wrong."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize(
    "instructions",
    [BEST, *(pytest.param(each, marks=pytest.mark.slow) for each in OTHERS)],
    ids=lambda each: each.name,
)
def test_inner_functions_compute_plain_sums(instructions: InstructionSet, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    compile_program("cc", instructions, tmp_path / "program")
    assert run_program(str(tmp_path / "program")) == f"{instructions.name}: 0 mistakes\n"


@pytest.mark.slow
def test_inner_functions_compute_plain_sums_with_neon_under_an_emulator(tmp_path: Path) -> None:
    if shutil.which(ARM_COMPILER) is None or shutil.which(ARM_EMULATOR) is None:
        pytest.skip(f"needs {ARM_COMPILER} and {ARM_EMULATOR} (Debian: g++-aarch64-linux-gnu, qemu-user)")
    compile_program(ARM_COMPILER, NEON, tmp_path / "program", "-static")
    assert run_program(ARM_EMULATOR, str(tmp_path / "program")) == "neon: 0 mistakes\n"


@pytest.mark.slow
@pytest.mark.parametrize("instructions", [AVX512, AVX2, PLAIN], ids=lambda each: each.name)
@pytest.mark.skipif(sys.platform != "linux", reason="flags of GCC and Clang for x86")
def test_kernels_compile_for_processors_that_this_one_is_not(
    instructions: InstructionSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("cc") is None or possible_sets()[0] is NEON:
        pytest.skip("needs a C compiler for x86")
    monkeypatch.setattr(library, "_FLAGS", [*library._FLAGS, "-Wall", "-Werror"])
    made = tmp_path / "kernels.so"
    library._build(made, instructions)
    assert made.stat().st_size > 0


def test_the_best_set_comes_first_and_another_may_be_wanted() -> None:
    sets = possible_sets()
    assert sets[-1] is PLAIN
    assert choose_set("on") is sets[0]
    assert [choose_set(each.name) for each in sets] == list(sets)
    assert choose_set("no such set") is sets[0]


@pytest.mark.parametrize(
    ("machine", "capability", "names"),
    [
        ("x86_64", "AVX512", ["avx512", "avx2", "plain"]),
        ("AMD64", "AVX2", ["avx2", "plain"]),
        ("x86_64", "DEFAULT", ["plain"]),
        ("aarch64", "DEFAULT", ["neon", "plain"]),
        ("arm64", "SVE256", ["neon", "plain"]),
        ("riscv64", "DEFAULT", ["plain"]),
    ],
)
def test_sets_follow_from_the_processor(
    machine: str, capability: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert [each.name for each in possible_sets()] == names


@pytest.mark.parametrize(
    ("instructions", "vendor", "products"),
    [
        (AVX2, "vendor_id : AuthenticAMD", "tiles"),
        (AVX512, "vendor_id : AuthenticAMD", "tiles"),
        (AVX512, "vendor_id : GenuineIntel", "blas"),
        (NEON, "", "blas"),
    ],
)
def test_products_follow_from_the_processor_and_not_from_timing(
    instructions: InstructionSet, vendor: str, products: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(instruction_sets.PRODUCTS_SWITCH, raising=False)
    monkeypatch.setattr(instruction_sets, "_processor_vendor", lambda: vendor)
    assert choose_products(instructions) == products
    for wanted in ("tiles", "blas"):
        monkeypatch.setenv(instruction_sets.PRODUCTS_SWITCH, wanted)
        assert choose_products(instructions) == wanted


def test_a_folder_that_machines_share_holds_a_build_for_each_set() -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    names = {library._library(each, library._key(each)).name for each in (AVX512, AVX2, NEON, PLAIN)}
    assert len(names) == 4
    assert {name.split("-")[1] for name in names} == {"avx512", "avx2", "neon", "plain"}


def test_tiles_have_the_same_bits_for_any_width_of_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [
        each for each in possible_sets() if each is not PLAIN
    ]  # without fused multiply-adds sums are rounded otherwise
    if library.kernels() is None or len(sets) < 2:
        pytest.skip("needs a processor with two instruction sets that have fused multiply-adds")
    monkeypatch.setenv(instruction_sets.PRODUCTS_SWITCH, "tiles")
    results = [_full_mixing(each, monkeypatch) for each in sets]
    assert torch.equal(results[0], results[1])


def _full_mixing(instructions: InstructionSet, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    monkeypatch.setenv(library.SWITCH, instructions.name)
    library._loaded.cache_clear()
    torch.manual_seed(0)
    head, x = MlpHead(num_tokens=3, token_dim=20, num_tasks=2), torch.randn(40, 3, 20)
    logits: Tensor = Lowering(head).current()(x)
    return logits.detach()


def test_an_unknown_set_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    if library.kernels() is None:
        pytest.skip("needs a C compiler")
    monkeypatch.setenv(library.SWITCH, "avx3")
    library._loaded.cache_clear()
    build = library.loaded_build()
    assert build is not None
    assert build.instructions is possible_sets()[0]
    (message,) = [record.getMessage() for record in caplog.records]
    assert "RANKELASTOR_KERNELS must be on, off or one of" in message
    assert "avx3 was given" in message


def test_a_build_says_its_set_and_what_multiplies() -> None:
    build = library.loaded_build()
    if build is None:
        pytest.skip("needs a C compiler")
    assert str(build).startswith(f"{build.instructions.name}, products by ")
    compiled_for = build.library.instruction_set
    compiled_for.restype = ctypes.c_char_p
    assert compiled_for() == build.instructions.name.encode()

"""Build the kernels once for an instruction set, load them, and connect them to the BLAS and OpenMP of PyTorch."""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import logging
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from rankelastor.native.instruction_sets import InstructionSet, ProductsBy, choose_products, choose_set, possible_sets

if sys.platform != "win32":
    import resource

logger = logging.getLogger(__name__)

SWITCH = "RANKELASTOR_KERNELS"
_SOURCES = sorted(Path(__file__).parent.glob("*.[ch]"))
# Sums may be reordered, so that they can be vectorised; NaN and infinity keep their meaning.
_FLAGS = [
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-shared",
    "-fPIC",
    "-pthread",
]
_PROCESSOR_SECONDS = 60
"""Longest time of one processor for the compiler, so that a busy machine, where it waits, does not stop it."""
_BUILD_SECONDS = 900
"""Longest time by the clock, for a compiler that hangs."""

_building = (
    threading.Lock()
)  # threads may ask for the kernels at the same time: one builds them, and a failure is logged once


def kernels() -> ctypes.CDLL | None:
    """Load the kernels, which are built in seconds at first use and cached per user; None if that is not possible.

    A failure is logged once. ``RANKELASTOR_KERNELS`` in the environment may be ``off``, which switches the kernels off,
    or the name of an instruction set, such as ``avx2`` on a processor that has more.
    """
    build = loaded_build()
    return None if build is None else build.library


@dataclass(frozen=True)
class Build:
    """Kernels that are loaded.

    Attributes:
        library: the functions.
        instructions: what they were compiled for.
        products: what multiplies matrices inside them.
        key: hash of what they were built from and with; the bits of results depend on it.
    """

    library: ctypes.CDLL
    instructions: InstructionSet
    products: ProductsBy
    key: str

    def __str__(self) -> str:
        """Describe the build in words: the instruction set, and what multiplies."""
        return f"{self.instructions.name}, products by {'tiles' if self.products == 'tiles' else 'BLAS'}"


def loaded_build() -> Build | None:
    """Load the kernels as ``kernels`` does, with what they were compiled for."""
    with _building:
        return _loaded()


@cache
def _loaded() -> Build | None:
    wanted = os.environ.get(SWITCH, "on")
    if wanted == "off":
        return None
    instructions = choose_set(wanted)
    if wanted not in {"on", instructions.name}:
        logger.warning(
            "%s must be on, off or one of %s, but %s was given; the kernels for %s are used",
            SWITCH,
            ", ".join(each.name for each in possible_sets()),
            wanted,
            instructions.name,
        )
    try:
        key, products = _key(instructions), choose_products(instructions)
        library = _load(_library(instructions, key), instructions)
        library.use_tiles(products == "tiles")
        return Build(library, instructions, products, key)
    except (OSError, subprocess.SubprocessError) as error:
        detail = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
        logger.warning(
            "fast kernels, which a C compiler (cc) builds at first use, cannot be used: %s; PyTorch's own operations "
            "are used, which is slower; try installing gcc or clang, or set %s=off to use no kernels",
            detail,
            SWITCH,
        )
        return None


def _load(library: Path, instructions: InstructionSet) -> ctypes.CDLL:
    """Load the library; build it first if it is missing, damaged, or could have been written by another user."""
    if os.path.lexists(library):
        try:
            return _connect(_open_own(library))
        except OSError as error:
            logger.info("%s cannot be loaded and is built again: %s", library, error)
    _build(library, instructions)
    return _connect(_open_own(library))


def _open_own(library: Path) -> ctypes.CDLL:
    """Open a library, check that no other user could have written it, and load the very file that was checked.

    Loading by the number of the open file leaves no time to put another one in its place.

    Raises:
        OSError: it is a link or no file, or its owner or mode would let another user write it.
    """
    descriptor = os.open(library, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not _is_safe(status):
            raise OSError(f"{library} must be a file that only its user can write")
        opened = Path(f"/proc/self/fd/{descriptor}")
        return ctypes.CDLL(str(opened if opened.exists() else library))
    finally:
        os.close(descriptor)


def _is_safe(status: os.stat_result, *, may_be_sticky: bool = False) -> bool:
    """Whether only the current user or root owns and can write a file or folder.

    In a sticky folder, others can write but not rename what is not theirs.
    """
    if not hasattr(os, "geteuid"):
        return True
    is_sticky = may_be_sticky and bool(status.st_mode & stat.S_ISVTX)
    is_own_group = status.st_gid == status.st_uid  # the group of one user, which many systems make
    writers = status.st_mode & (0o002 if is_own_group else 0o022)
    return status.st_uid in {os.geteuid(), 0} and (is_sticky or not writers)


def _parents_are_safe(folder: Path) -> bool:
    """Whether no other user can put something else in the place of a folder or of one above it."""
    return all(_is_safe(parent.stat(), may_be_sticky=True) for parent in folder.resolve().parents)


def _connect(library: ctypes.CDLL) -> ctypes.CDLL:
    """Connect the library to the BLAS (MKL, OpenBLAS or Accelerate) and the OpenMP threads of PyTorch."""
    theirs = ctypes.CDLL(torch._C.__file__)  # noqa: SLF001 - symbols are also looked up in its dependencies
    try:
        library.use_blas(*_pointers(theirs, "sgemm_", "sgemv_"))
    except AttributeError as error:
        raise OSError("this build of PyTorch does not export sgemm_ and sgemv_") from error
    with suppress(AttributeError):
        library.use_openmp(*_pointers(theirs, "GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads"))
    return library


def _pointers(library: ctypes.CDLL, *names: str) -> list[ctypes.c_void_p]:
    return [ctypes.cast(getattr(library, name), ctypes.c_void_p) for name in names]


def _build(library: Path, instructions: InstructionSet) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        made = Path(scratch) / library.name
        sources = [str(source) for source in _SOURCES if source.suffix == ".c"]
        command = [*_compiler(), *_FLAGS, *instructions.flags, "-o", str(made), *sources, "-lm"]
        _compile(command)
        made.chmod(0o700)
        made.replace(library)  # atomic, so that several processes can build at the same time


def _compile(command: Sequence[str]) -> None:
    """Run the compiler within limits of time.

    Raises:
        subprocess.SubprocessError: it failed, or took too long.
    """
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            if sys.platform == "linux":
                resource.prlimit(process.pid, resource.RLIMIT_CPU, (_PROCESSOR_SECONDS, _PROCESSOR_SECONDS))
            _, message = process.communicate(timeout=_BUILD_SECONDS)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=message)


def _compiler() -> list[str]:
    name, *flags = shlex.split(os.environ.get("CC") or "cc")
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"there is no {name} on the PATH")
    return [found, *flags]


def _library(instructions: InstructionSet, key: str) -> Path:
    """Name the file: machines that share a home folder find builds for each of their instruction sets in it."""
    return _cache_folder() / f"kernels-{instructions.name}-{key}.so"


def _key(instructions: InstructionSet) -> str:
    """Compute a hash of everything the library depends on: sources, flags, compiler and system."""
    command = repr([*_compiler(), *_FLAGS, *instructions.flags])
    system = repr([sys.platform, platform.machine(), platform.libc_ver()])
    parts = [*(source.read_bytes() for source in _SOURCES), command.encode(), system.encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _cache_folder() -> Path:
    """Find a cache folder that no other user can write to or replace, since its contents are executed."""
    for folder in _possible_folders():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.lstat()
        except OSError:
            continue
        if _is_safe(status) and _parents_are_safe(folder) and os.access(folder, os.W_OK):
            return folder
    return _folder_of_this_process()


def _possible_folders() -> Iterator[Path]:
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        yield base / "rankelastor"
    with suppress(RuntimeError):  # some containers have no home folder
        yield Path.home() / ".cache" / "rankelastor"


@cache
def _folder_of_this_process() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="rankelastor-kernels-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder

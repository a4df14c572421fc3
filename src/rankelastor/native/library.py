"""Build the kernels once for this processor, and load them."""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import logging
import os
import platform
import shlex
import shutil
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from math import prod
from pathlib import Path

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

SWITCH = "RANKELASTOR_KERNELS"
_SOURCES = sorted(Path(__file__).parent.glob("*.[ch]"))
# Sums may be reordered, so that they are vectorised; NaN and infinity keep their meaning.
_FLAGS = [
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-shared",
    "-fPIC",
]
_BUILD_SECONDS = 60
_BLOCK_BYTES = 2**20  # about half of a core's second-level cache; twice of it is no slower where that is large
_SMALLEST_BLOCK = 16
_NUMBERS_APART = 32  # as in parallel.h
_FEWEST_ROWS = 64  # that are worth another core: fewer are done before it has begun

_building = threading.Lock()  # threads ask for the kernels at once; one builds, and one warning tells why it could not


def kernels() -> ctypes.CDLL | None:
    """The kernels, built in a second at first use and kept in the user's cache; None where that is not possible.

    The reason is logged once. ``RANKELASTOR_KERNELS=off`` in the environment does without them.
    """
    with _building:
        return _loaded()


@cache
def _loaded() -> ctypes.CDLL | None:
    if os.environ.get(SWITCH, "on") == "off":
        return None
    try:
        return _load(_library())
    except (OSError, subprocess.SubprocessError) as error:
        detail = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
        logger.warning(
            "fast kernels, which a C compiler (cc) builds at first use, cannot be used: %s; PyTorch's own operations "
            "are used, which is slower; try installing gcc or clang, or set %s=off to do without",
            detail,
            SWITCH,
        )
        return None


def kernels_fit(*parameters: Tensor) -> bool:
    """Whether there are kernels, and they can work with these parameters: float32 on the CPU, without gaps."""
    fit = all(
        parameter.dtype == torch.float32 and parameter.device.type == "cpu" and parameter.is_contiguous()
        for parameter in parameters
    )
    return fit and kernels() is not None


def in_rows(x: Tensor) -> Tensor:
    """The same, copied unless its rows (the last of two or more axes) are whole and apart, as BLAS wants them.

    Expanded tensors have rows on top of each other, and an axis of size 1 may have any stride.

    Example:
        >>> in_rows(torch.ones(1, 3).expand(2, 3)).stride()
        (3, 1)
    """
    apart = x.stride(-2) >= x.shape[-1]
    return x if x.stride(-1) == 1 and apart else x.clone(memory_format=torch.contiguous_format)


def row_blocks(rows: int, *, floats_a_row: int, num_weights: int) -> int:
    """Rows that a kernel works on at a time: equal blocks whose numbers fit into a core's cache.

    Every block reads the weights again, so blocks are larger where there are many.

    Example:
        >>> row_blocks(200, floats_a_row=2048, num_weights=1000)
        100
        >>> row_blocks(200, floats_a_row=2048, num_weights=1_000_000)
        200
    """
    most = max(_SMALLEST_BLOCK, max(_BLOCK_BYTES // 4, 2 * num_weights) // floats_a_row)
    return -(-rows // -(-max(rows, 1) // most))


def kernels_divide_rows() -> bool:
    """Whether there are kernels that can work on several cores at once."""
    library = kernels()
    return library is not None and bool(library.has_openmp())


def num_parts(rows: int) -> int:
    """Parts of as many rows that are worth a core each: at most as many as PyTorch may use here."""
    return max(1, min(torch.get_num_threads(), rows // _FEWEST_ROWS)) if kernels_divide_rows() else 1


def call(kernel: str, *arguments: Tensor | OfParts | int | float | None, rows: int, parts: int = 1) -> None:
    """Call a kernel for as many rows, in parts that are worked on at once. Other threads of Python run meanwhile.

    The arguments are the fields of the kernel's struct, in order: tensors as pointers, numbers of 64 bits.
    """
    library = kernels()
    assert library is not None, "callers ask kernels_fit"
    # Comprehensions and a layout made once: for one example, packing takes as long as some layers.
    plain = (int, float)
    fields = [0 if field is None else field if isinstance(field, plain) else field.data_ptr() for field in arguments]
    packed = _layout("".join(["d" if isinstance(field, float) else "q" for field in fields])).pack(*fields)
    library.run(getattr(library, kernel), packed, ctypes.c_int64(rows), ctypes.c_int64(parts))


@cache
def _layout(fields: str) -> struct.Struct:
    return struct.Struct(fields)


class OfParts:
    """Zeros for each of several parts to sum in: buffers that share no cache line, or their cores would fight for it.

    Example:
        >>> OfParts((2, 3), parts=2).sum()
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """

    def __init__(self, shape: Sequence[int], *, parts: int) -> None:
        self._shape = shape
        self.buffers = torch.zeros(parts, -(-prod(shape) // _NUMBERS_APART) * _NUMBERS_APART)

    def data_ptr(self) -> int:
        """Where the first part's buffer begins."""
        return self.buffers.data_ptr()

    def sum(self) -> Tensor:
        """Of all parts."""
        whole = self.buffers[0] if len(self.buffers) == 1 else self.buffers.sum(0)
        return whole[: prod(self._shape)].view(self._shape)


def _load(library: Path) -> ctypes.CDLL:
    """Load the library, built now where it is not there yet or is damaged."""
    if library.exists():
        try:
            return _connected(ctypes.CDLL(str(library)))
        except OSError:
            logger.info("%s cannot be loaded: building it again", library)
    _build(library)
    return _connected(ctypes.CDLL(str(library)))


def _connected(library: ctypes.CDLL) -> ctypes.CDLL:
    """With what PyTorch brings: a BLAS for products of matrices (MKL, OpenBLAS or Accelerate), and OpenMP's threads."""
    theirs = ctypes.CDLL(torch._C.__file__)  # noqa: SLF001 - symbols are sought in what it depends on, too
    try:
        library.use_blas(*_pointers(theirs, "sgemm_", "sgemv_"))
    except AttributeError as error:
        raise OSError("this build of PyTorch shows no sgemm_ and sgemv_") from error
    with suppress(AttributeError):
        library.use_openmp(*_pointers(theirs, "GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads"))
    return library


def _pointers(library: ctypes.CDLL, *names: str) -> list[ctypes.c_void_p]:
    return [ctypes.cast(getattr(library, name), ctypes.c_void_p) for name in names]


def _build(library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        made = Path(scratch) / library.name
        sources = [str(source) for source in _SOURCES if source.suffix == ".c"]
        command = [*_compiler(), *_FLAGS, "-o", str(made), *sources, "-lm"]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_BUILD_SECONDS)  # noqa: S603
        made.replace(library)  # whole or not at all, also where several processes build at once


def _compiler() -> list[str]:
    name, *flags = shlex.split(os.environ.get("CC") or "cc")
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"no {name} on the PATH")
    return [found, *flags]


def _library() -> Path:
    return _cache_folder() / f"kernels-{_key()}.so"


def _key() -> str:
    """Of what the built library depends on: source, flags, compiler and the processor's features."""
    command = repr([*_compiler(), *_FLAGS])
    parts = [*(source.read_bytes() for source in _SOURCES), command.encode(), _processor_features().encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _processor_features() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() + platform.machine()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())


def _cache_folder() -> Path:
    """A folder that nobody else can write to: what lies there is run."""
    for folder in _possible_folders():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
        except OSError:
            continue
        is_ours = not hasattr(os, "getuid") or status.st_uid == os.getuid()
        if is_ours and not status.st_mode & 0o022 and os.access(folder, os.W_OK):
            return folder
    return _folder_of_this_process()


def _possible_folders() -> Iterator[Path]:
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        yield base / "rankelastor"
    with suppress(RuntimeError):  # some containers know no home
        yield Path.home() / ".cache" / "rankelastor"


@cache
def _folder_of_this_process() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="rankelastor-kernels-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder

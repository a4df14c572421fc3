"""Build the kernels once for this processor, load them, and connect them with what PyTorch brings."""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

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

_building = threading.Lock()  # threads ask for the kernels at once; one builds, and one warning tells why it could not


def kernels() -> ctypes.CDLL | None:
    """Load the kernels, built in seconds at first use and kept in the user's cache; None where that is not possible.

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


def _load(library: Path) -> ctypes.CDLL:
    """Load the library, built now where it is not there yet or is damaged."""
    if library.exists():
        try:
            return _connect(ctypes.CDLL(str(library)))
        except OSError:
            logger.info("%s cannot be loaded: building it again", library)
    _build(library)
    return _connect(ctypes.CDLL(str(library)))


def _connect(library: ctypes.CDLL) -> ctypes.CDLL:
    """Connect the library with what PyTorch brings: a BLAS (MKL, OpenBLAS or Accelerate) and OpenMP's threads."""
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
    """Hash what the built library depends on: source, flags, compiler and the processor's features."""
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
    """Find a folder that no other user can write to: what lies there is run."""
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

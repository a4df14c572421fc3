"""Fuzz readers for a night: ``python -m tests.fuzz.run [NUMBER] [READER ...]``.

With atheris (``pip install atheris``), inputs are chosen by what they reach in the code; otherwise valid inputs are
mutated at random. Each reader runs in a process of its own, so that a crash names the input that caused it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tests.fuzz.readers import Reader, all_readers, mutate
from tests.fuzz.test_readers import NAMES


def main() -> None:
    """Fuzz the readers that are named, or all; the exit code is 1 if another error than our own came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", nargs="?", type=int, default=100_000, help="inputs per reader")
    parser.add_argument("readers", nargs="*", help="names of readers; all if none is given")
    arguments = parser.parse_args()
    names = arguments.readers or NAMES
    failed = [name for name in names if not _passes(name, arguments.number)]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def _passes(name: str, number: int) -> bool:
    began = time.monotonic()
    process = multiprocessing.get_context("spawn").Process(target=_fuzz, args=(name, number))
    process.start()
    process.join()
    state = "ok" if process.exitcode == 0 else f"FAILED, exit code {process.exitcode}, input in fuzz/{_file(name)}"
    sys.stdout.write(f"{name}: {number:,} inputs, {time.monotonic() - began:.0f} s: {state}\n")
    sys.stdout.flush()
    return process.exitcode == 0


def _fuzz(name: str, number: int) -> None:
    place = Path("fuzz") / _file(name)
    place.parent.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        _feed(all_readers(Path(folder))[name], place, number)


def _feed(reader: Reader, place: Path, number: int) -> None:

    def check(data: bytes) -> None:
        place.write_bytes(data)  # what is left here after a crash caused it
        reader(data)

    if find_spec("atheris") is not None:
        corpus = place.parent / f"corpus-{place.name}"
        corpus.mkdir(exist_ok=True)
        (corpus / "base").write_bytes(reader.base)
        atheris = import_module("atheris")
        atheris.Setup([sys.argv[0], f"-runs={number}", str(corpus)], check)
        atheris.Fuzz()
        return
    for index in range(number):
        check(mutate(reader.base, np.random.default_rng(index)))


def _file(name: str) -> str:
    return name.strip("-").replace(" ", "-").replace(".", "-")


if __name__ == "__main__":
    main()

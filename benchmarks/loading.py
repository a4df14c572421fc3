"""Compare the rows per second of our loader and of FuxiCTR 2.3.1's on the same rows, alternating.

39 fields (13 numeric, 26 categorical), shuffled, from a warm page cache, each loader in its default precision: ours
int32 and float32, FuxiCTR's float64. Ours reads a whole epoch, including the time to draw its order, from one shard and
from many, each with the uniform order and with windows. FuxiCTR keeps all rows in memory and is timed from its second
batch on, without and with worker processes; the ratio is to the fastest of these in the same round.

Example:
    python benchmarks/loading.py --fuxictr-python fuxi/bin/python --output benchmarks/reports/loading_cpu_2026-11-22
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import IO, Any

import numpy as np
import torch

from rankelastor.config.training import OrderSettings, UniformOrder, WindowOrder
from rankelastor.data.encoded_rows import EncodedRows
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepared import PreparedSplit
from rankelastor.data.shards import ShardWriter, open_shard, shard_path
from rankelastor.runs.environment import describe_environment
from rankelastor.schema import CategoricalFeature, FeatureSchema, NumericFeature

NUM_IDS = 100_000
CLICK_RATE = 0.2
NUMERIC = [f"I{place}" for place in range(13)]
CATEGORICAL = [f"C{place}" for place in range(26)]
SCHEMA = FeatureSchema(
    (*(NumericFeature(name) for name in NUMERIC), *(CategoricalFeature(name, NUM_IDS) for name in CATEGORICAL))
)
ORDERS: dict[str, OrderSettings] = {"uniform": UniformOrder(), "window": WindowOrder(kind="window")}
FUXICTR_WORKERS = (0, 1, 2)
SMALLEST_NUM_ROUNDS = 5


@dataclass(frozen=True)
class Rows:
    """Random rows, generated once and written for both loaders."""

    categorical: np.ndarray
    numeric: np.ndarray
    label: np.ndarray

    @classmethod
    def random(cls, num_rows: int) -> Rows:
        """Draw rows from seed 0."""
        generator = np.random.default_rng(0)
        return cls(
            categorical=generator.integers(1, NUM_IDS, (num_rows, len(CATEGORICAL)), dtype=np.int32),
            numeric=generator.random((num_rows, len(NUMERIC)), dtype=np.float32),
            label=(generator.random(num_rows) < CLICK_RATE).astype(np.float32),
        )

    def write_shards(self, folder: Path, num_shards: int) -> PreparedSplit:
        """Write the rows as shards for our loader."""
        num_rows = len(self.label)
        shard_rows = -(-num_rows // num_shards)
        writer = ShardWriter(folder, SCHEMA, num_rows=num_rows, shard_rows=shard_rows, has_group=False)
        writer.add(EncodedRows(categorical=self.categorical, numeric=self.numeric, labels=self.label[:, None]))
        writer.finish()
        return open_split(folder, num_rows, num_shards)

    def write_npz(self, path: Path) -> None:
        """Write the rows as FuxiCTR's file: one array per column."""
        columns = dict(zip(CATEGORICAL, self.categorical.T, strict=True)) | dict(
            zip(NUMERIC, self.numeric.T, strict=True)
        )
        np.savez(path, label=self.label, **columns)


def open_split(folder: Path, num_rows: int, num_shards: int) -> PreparedSplit:
    """Open the shards of a folder as a split."""
    shards = tuple(open_shard(shard_path(folder, index), SCHEMA) for index in range(num_shards))
    return PreparedSplit("train", num_rows, -(-num_rows // num_shards), shards, "benchmark")


def rows_per_second(loader: BatchLoader, *, epoch: int, num_batches: int | None = None) -> float:
    """Measure the rows per second of an epoch, or of its first batches."""
    began = time.perf_counter()
    num_rows = sum(batch.num_examples for batch in islice(loader.epoch(epoch), num_batches))
    return num_rows / (time.perf_counter() - began)


class FuxiCtr:
    """FuxiCTR's loader in a separate process, which is idle while other loaders are timed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.versions = self._answer()

    def rows_per_second(self, num_workers: int) -> float:
        """Measure its speed with ``num_workers`` worker processes."""
        self._stream(self._process.stdin).write(f"{num_workers}\n")
        self._stream(self._process.stdin).flush()
        return float(self._answer()["rows_per_second"])

    def _answer(self) -> dict[str, Any]:
        line = self._stream(self._process.stdout).readline()
        if not line:
            raise SystemExit("FuxiCTR's process has ended; see its message above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None, "opened as a pipe"
        return stream


@contextmanager
def fuxictr(python: Path, data: Path, *, batch_size: int, num_batches: int) -> Iterator[FuxiCtr]:
    """Start the process of FuxiCTR's loader, and end it on exit."""
    script = Path(__file__).with_name("loading_fuxictr.py")
    command = [str(python), str(script), str(data), str(batch_size), str(num_batches)]
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(  # noqa: S603 - the user names the Python
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=surroundings
    ) as process:
        try:
            yield FuxiCtr(process)
        finally:
            process.kill()


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure the rows per second of each loader in all rounds."""
    rows = Rows.random(arguments.rows)
    splits = {count: rows.write_shards(folder / f"shards-{count}", count) for count in (1, arguments.shards)}
    rows.write_npz(folder / "rows.npz")
    del rows
    ours = {
        f"ours, {count} shard{'s' if count > 1 else ''}, {name}": BatchLoader(
            split, batch_size=arguments.batch_size, shuffle=True, order=order, seed=1
        )
        for count, split in splits.items()
        for name, order in ORDERS.items()
    }
    for loader in ours.values():
        rows_per_second(loader, epoch=0)
    timed: dict[str, list[float]] = {}
    sizes = {"batch_size": arguments.batch_size, "num_batches": arguments.fuxictr_batches}
    with fuxictr(arguments.fuxictr_python, folder / "rows.npz", **sizes) as theirs:
        for num_workers in FUXICTR_WORKERS:
            theirs.rows_per_second(num_workers)
        for number in range(1, arguments.rounds + 1):
            for name, loader in ours.items():
                timed.setdefault(name, []).append(rows_per_second(loader, epoch=number))
            for num_workers in FUXICTR_WORKERS:
                name = f"FuxiCTR, {num_workers} worker{'' if num_workers == 1 else 's'}"
                timed.setdefault(name, []).append(theirs.rows_per_second(num_workers))
        versions = theirs.versions
    return {"rows_per_second": timed, "fuxictr": versions}


def measure_cold(arguments: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Measure the rows per second of an epoch's first window with a cold page cache, by order."""
    writer_folder = folder / "cold"
    Rows.random(arguments.rows).write_shards(writer_folder, arguments.shards)
    found = {}
    for name, order in ORDERS.items():
        _evict(writer_folder)
        split = open_split(writer_folder, arguments.rows, arguments.shards)
        loader = BatchLoader(split, batch_size=arguments.batch_size, shuffle=True, order=order, seed=1)
        found[name] = rows_per_second(loader, epoch=1, num_batches=arguments.cold_batches)
    return found


def _evict(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def report(arguments: argparse.Namespace, figures: dict[str, Any]) -> str:
    """Format the figures as Markdown."""
    timed: dict[str, list[float]] = figures["rows_per_second"]
    best = [max(values) for values in zip(*(timed[name] for name in timed if name.startswith("Fuxi")), strict=True)]
    facts, theirs = figures["environment"], figures["fuxictr"]
    lines = [
        "# Loading: rows per second",
        "",
        f"`python benchmarks/loading.py`: {arguments.rows:,} rows of 39 fields, batch {arguments.batch_size:,},",
        f"shuffled, warm page cache, {arguments.rounds} rounds in turn, commit {facts['commit']}.",
        f"{facts['processor']}, {os.cpu_count()} cores, torch threads: {facts['threads']}. Ours: torch",
        f"{facts['packages']['torch']}, numpy {facts['packages']['numpy']}. FuxiCTR {theirs['fuxictr']}: torch",
        f"{theirs['torch']}, numpy {theirs['numpy']}.",
        "Ratios are taken round by round to the fastest of FuxiCTR's rows in the same round.",
        "",
        "| loader | median, million rows/s | range | median ratio | range |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, values in timed.items():
        ratios = [value / other for value, other in zip(values, best, strict=True)]
        lines.append(
            f"| {name} | {median(values) / 1e6:.3f} | {min(values) / 1e6:.3f} to {max(values) / 1e6:.3f} | "
            f"{median(ratios):.1f} | {min(ratios):.1f} to {max(ratios):.1f} |"
        )
    if "cold_rows_per_second" in figures:
        cold = ", ".join(f"{name} {value:,.0f}" for name, value in figures["cold_rows_per_second"].items())
        lines += ["", f"Cold (no page in memory, first {arguments.cold_batches} batches, rows/s): {cold}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the figures, and write them as JSON and Markdown if requested."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        figures = measure(arguments, Path(name))
        if arguments.cold_batches:
            figures["cold_rows_per_second"] = measure_cold(arguments, Path(name))
    figures["environment"] = describe_environment(torch.device("cpu"))
    text = report(arguments, figures)
    print(text)
    if arguments.output is not None:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        Path(f"{arguments.output}.md").write_text(text)
        Path(f"{arguments.output}.json").write_text(json.dumps(figures, indent=1) + "\n")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fuxictr-python", type=Path, required=True, help="a Python with fuxictr==2.3.1")
    parser.add_argument("--rows", type=int, default=2_000_000, help="rows of the data set (2,000,000)")
    parser.add_argument("--shards", type=int, default=40, help="the larger number of shards (40)")
    parser.add_argument("--batch-size", type=int, default=4096, help="rows in a batch (4096)")
    parser.add_argument("--rounds", type=int, default=7, help=f"at least {SMALLEST_NUM_ROUNDS} (7)")
    parser.add_argument("--fuxictr-batches", type=int, default=40, help="batches of FuxiCTR in a round (40)")
    parser.add_argument(
        "--cold-batches", type=int, default=0, help="also time this number of batches with a cold page cache (0)"
    )
    parser.add_argument("--folder", type=Path, help="folder for temporary data (the system's)")
    parser.add_argument("--output", type=Path, help="write PATH.md and PATH.json")
    arguments = parser.parse_args()
    if arguments.rounds < SMALLEST_NUM_ROUNDS:
        parser.error(f"--rounds must be at least {SMALLEST_NUM_ROUNDS}, but {arguments.rounds} was given")
    return arguments


if __name__ == "__main__":
    main()

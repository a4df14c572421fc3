"""Compare `rankelastor prepare` with fuxictr on the same Criteo-like CSV, and check that its memory use is bounded.

`speed` alternates between ours and fuxictr, each in a new process: A B A B. Goals on 2 cores: at least 6 times the
rows/s of fuxictr 2.3.1 (better 10), at most half its peak memory. `memory` prepares two files with the same two million
distinct values, one ten times as long as the other. Goal: the same peak memory within 20 %, under 3 GB.

Peak memory is the largest resident set of the process, including mapped pages of files. For fuxictr it is that of the
main process alone, without worker processes.

For fuxictr's environment see benchmarks/fuxictr-requirements.txt.
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from criteo_like import write_criteo_like

HERE = Path(__file__).parent
REPORTS = HERE / "reports"
SMALLEST_NUM_ROUNDS = 3
VALID_ROWS = 10_000

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)

Scratch = Annotated[Path | None, typer.Option(help="folder for the files, which are removed; default: a temporary one")]
Distinct = Annotated[int, typer.Option(help="distinct values of all categorical columns together")]


@app.command(epilog="Example: python benchmarks/prepare.py speed --fuxictr-python fuxictr-env/bin/python")
def speed(
    fuxictr_python: Annotated[Path, typer.Option(help="the Python of the environment that has fuxictr 2.3.1")],
    rows: Annotated[int, typer.Option(help="rows of the file")] = 1_000_000,
    distinct: Distinct = 2_000_000,
    rounds: Annotated[int, typer.Option(min=SMALLEST_NUM_ROUNDS, help="rounds")] = 3,
    scratch: Scratch = None,
) -> None:
    """Alternate between ours and fuxictr on the same file, and report the ratios."""
    commands = {
        "rankelastor": [sys.executable, str(HERE / "prepare_once.py")],
        "fuxictr": [str(fuxictr_python), str(HERE / "prepare_once_fuxictr.py")],
    }
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=scratch)))
        file = folder / "train.csv"
        write_criteo_like(file, num_rows=rows, num_distinct=distinct)
        write_criteo_like(folder / "train.csv.valid.csv", num_rows=VALID_ROWS, num_distinct=distinct, seed=2)
        file_bytes = file.stat().st_size
        for number in range(rounds):
            for name, command in commands.items():
                figures = run([*command, str(file), str(folder / f"{name}-{number}"), "train"])
                figures["rows_per_second"] = (rows + VALID_ROWS) / figures["seconds"]
                measured[name].append(figures)
                show(f"round {number + 1}, {name}", figures)
    ours, theirs = measured["rankelastor"], measured["fuxictr"]
    ratios = [a["rows_per_second"] / b["rows_per_second"] for a, b in zip(ours, theirs, strict=True)]
    memory = [a["peak_bytes"] / b["peak_bytes"] for a, b in zip(ours, theirs, strict=True)]
    summary = {
        "rows_per_second_ratio": spread(ratios),
        "peak_memory_ratio": spread(memory),
        "rows": rows + VALID_ROWS,
        "distinct": distinct,
        "file_bytes": file_bytes,
    }
    print(json.dumps(summary))
    report(f"prepare_{distinct}_values", summary | {"measured": measured})


@app.command(epilog="Example: python benchmarks/prepare.py memory --scratch /big/disk")
def memory(
    rows: Annotated[int, typer.Option(help="rows of the short file")] = 1_000_000,
    times: Annotated[int, typer.Option(help="how many times as long the long file is")] = 10,
    distinct: Distinct = 2_000_000,
    scratch: Scratch = None,
) -> None:
    """Compare the peak memory for a short and a long file with the same distinct values."""
    measured = {}
    for num_rows in (rows, rows * times):
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            file = Path(folder) / "all.csv"
            write_criteo_like(file, num_rows=num_rows, num_distinct=distinct)
            command = [sys.executable, str(HERE / "prepare_once.py"), str(file), str(Path(folder) / "out"), "split"]
            measured[num_rows] = run(command) | {"file_bytes": file.stat().st_size}
            show(f"{num_rows:,} rows", measured[num_rows])
    short, long = measured.values()
    ratio = long["peak_bytes"] / short["peak_bytes"]
    print(f"peak memory of the long file / of the short one: {ratio:.3f}")
    report("prepare_memory", {"peak_memory_ratio": ratio, "measured": list(measured.values())})


def run(command: Sequence[str]) -> dict[str, Any]:
    """Run a command in a new process and return the figures that it prints in its last line."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own scripts
    if done.returncode:
        sys.exit(f"{command[1]} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def show(what: str, figures: dict[str, Any]) -> None:
    """Print one line with the figures of a run."""
    print(
        f"{what}: {figures['seconds']:.1f} s, {figures['cpu_seconds']:.1f} s of CPU, "
        f"peak {figures['peak_bytes'] / 1e6:,.0f} MB",
        flush=True,
    )


def spread(values: Sequence[float]) -> dict[str, float]:
    """Compute the median, the smallest and the largest value."""
    return {"median": round(median(values), 3), "smallest": round(min(values), 3), "largest": round(max(values), 3)}


def report(theme: str, figures: dict[str, Any]) -> None:
    """Write the figures and the environment to benchmarks/reports/."""
    now = datetime.now(UTC)
    facts = {"cpu": cpu_name(), "cores": os.cpu_count(), "python": platform.python_version(), "commit": commit()}
    REPORTS.mkdir(exist_ok=True)
    hardware = f"{os.cpu_count()}cores"
    path = REPORTS / f"{theme}_{hardware}_{now:%Y-%m-%d}.json"
    path.write_text(json.dumps({"time": now.isoformat(timespec="minutes")} | facts | figures, indent=1) + "\n")
    print(f"written: {path}")


def cpu_name() -> str:
    """Read the name of the processor from the system."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def commit() -> str:
    """Return the commit that is checked out, with a mark if files differ from it."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--abbrev=8"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"  # noqa: S603


if __name__ == "__main__":
    app()

"""Try unusual sizes: many fields, tokens, values and files, and next to no rows.

Each case writes a log, and then runs commands of `rankelastor` in processes of their own, until one fails or all are
done. Results are appended to a file of JSON lines; what stands there is not run again. The largest takes some GB of
memory and half a GB of disk.

    python -m benchmarks.limits                      # all cases that have not been run
    python -m benchmarks.limits one-row many-files   # some of them
    python -m benchmarks.limits --table              # the results as a table
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

ARGUMENTS = {"prepare": ["prepare", "recipe.yaml"], "train": ["train", "recipe.yaml", "--run", "run"]}
_MLP = {"kind": "mlp", "embedding_dim": 4, "hidden_dims": [8]}


@dataclass(frozen=True)
class Trial:
    """What a command took and said.

    Attributes:
        case: name of the case.
        command: the verb.
        exit_code: 0 if it succeeded, 2 if it was refused; negative if a signal ended it.
        seconds: time by the clock.
        cpu_seconds: time of processors.
        peak_mb: largest resident memory in megabytes.
        last_line: the end of what it said, where it failed.
    """

    case: str
    command: str
    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_mb: int
    last_line: str


def recipe(fields: list[dict[str, Any]], *, model: dict[str, Any] = _MLP, **training: Any) -> dict[str, Any]:
    """Make the settings of a case, whose log is ``log/*.csv``, cut at random."""
    return {
        "name": "limits",
        "data": {
            "prepared": "prepared",
            "files": {"folder": "log", "all": "*.csv"},
            "split": {"kind": "random"},
            "label": "click",
            "fields": fields,
        },
        "model": model,
        "training": {"epochs": 1, "batch_size": 4096, "baseline": False, "threads": 1, **training},
    }


def write_rows(folder: Path, columns: dict[str, Any], num_rows: int) -> None:
    """Write a log of one file with a drawn label."""
    click = np.random.default_rng(0).integers(0, 2, num_rows)
    (folder / "log").mkdir()
    pl.DataFrame({"click": click, **columns}).write_csv(folder / "log" / "rows.csv")


def categorical(*columns: str, **settings: Any) -> dict[str, Any]:
    """Make the settings of categorical fields."""
    return {"kind": "categorical", "column": list(columns), **settings}


def few_rows(folder: Path, num_rows: int = 1_000) -> None:
    """Write rows of a user and a site."""
    draws = np.random.default_rng(1)
    write_rows(folder, {"user": draws.integers(0, 100, num_rows), "site": draws.integers(0, 9, num_rows)}, num_rows)


def fields_200(folder: Path) -> dict[str, Any]:
    """200 fields of 20,000 rows, of which 50 are numbers."""
    draws = np.random.default_rng(1)
    names = {f"c{index}": draws.integers(0, 1_000, 20_000) for index in range(150)}
    numbers = {f"n{index}": draws.random(20_000) for index in range(50)}
    write_rows(folder, names | numbers, 20_000)
    model = {"kind": "rankelastor", "embedding_dim": 8, "num_tokens": 16, "token_dim": 16, "num_blocks": 2}
    model |= {"tokenizer": {"kind": "joint"}, "ffn": {"kind": "glu", "hidden_dims": [32]}}
    return recipe([categorical(*names), {"kind": "numeric", "column": list(numbers)}], model=model)


def tokens_10_000(folder: Path) -> dict[str, Any]:
    """A model of 10,000 tokens, which are mixed in full."""
    few_rows(folder)
    model = {"kind": "rankelastor", "embedding_dim": 8, "num_tokens": 10_000, "token_dim": 8, "num_blocks": 1}
    model |= {"tokenizer": {"kind": "joint"}, "ffn": {"kind": "glu", "hidden_dims": [8]}}
    return recipe([categorical("user", "site")], model=model)


def tokens_10_000_split(folder: Path) -> dict[str, Any]:
    """A model of 10,000 tokens without mixing."""
    settings = tokens_10_000(folder)
    settings["model"] |= {"mixing": {"kind": "identity"}, "token_dim": 4, "ffn": {"kind": "mlp", "hidden_dims": [4]}}
    settings["training"] |= {"batch_size": 64}
    return settings


def settings_10_000(folder: Path) -> dict[str, Any]:
    """A recipe of 10,000 words: 1,000 fields with settings of their own."""
    draws = np.random.default_rng(1)
    columns = {f"c{index}": draws.integers(0, 50, 2_000) for index in range(1_000)}
    write_rows(folder, columns, 2_000)
    return recipe([categorical(name, min_count=2, blank="value") for name in columns])


def values_20_million(folder: Path) -> dict[str, Any]:
    """A vocabulary of 20 million values, each of which occurs at least once."""
    num_rows = 25_000_000
    user = np.concatenate([np.arange(20_000_000), np.random.default_rng(1).integers(0, 20_000_000, 5_000_000)])
    write_rows(folder, {"user": user, "site": np.arange(num_rows) % 9}, num_rows)
    settings = recipe([categorical("user", "site")], batch_size=16_384)
    settings["data"]["split"] = {"kind": "file_order", "valid": 0.02}
    return settings


def one_row(folder: Path) -> dict[str, Any]:
    """A log of one row each for train, valid and test."""
    (folder / "log").mkdir()
    for split in ("train", "valid", "test"):
        (folder / "log" / f"{split}.csv").write_text("click,user,site\n1,a,b\n")
    settings = recipe([categorical("user", "site")])
    settings["data"]["files"] = {"folder": "log", "train": "train.csv", "valid": "valid.csv", "test": "test.csv"}
    del settings["data"]["split"]
    return settings


def one_row_valid(folder: Path) -> dict[str, Any]:
    """A row of each label to train, one to validate and none to test."""
    settings = one_row(folder)
    (folder / "log" / "train.csv").write_text("click,user,site\n1,a,b\n0,a,c\n")
    del settings["data"]["files"]["test"]
    return settings


def one_row_in_all(folder: Path) -> dict[str, Any]:
    """A log of one row, which cannot be split."""
    few_rows(folder, 1)
    return recipe([categorical("user", "site")])


def large_batch(folder: Path) -> dict[str, Any]:
    """A batch of a million rows for a log of a thousand."""
    few_rows(folder)
    return recipe([categorical("user", "site")], batch_size=1_000_000, monitor="logloss")


def many_files(folder: Path) -> dict[str, Any]:
    """10,000 files of five rows."""
    draws = np.random.default_rng(1)
    (folder / "log").mkdir()
    for number in range(10_000):
        rows = "".join(f"{row % 2},u{draws.integers(100)},s{draws.integers(9)}\n" for row in range(5))
        (folder / "log" / f"part-{number:05d}.csv").write_text(f"click,user,site\n{rows}")
    return recipe([categorical("user", "site")])


CASES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "fields-200": fields_200,
    "tokens-10000": tokens_10_000,
    "tokens-10000-unmixed": tokens_10_000_split,
    "settings-10000": settings_10_000,
    "one-row": one_row,
    "one-row-in-all": one_row_in_all,
    "one-row-valid": one_row_valid,
    "large-batch": large_batch,
    "many-files": many_files,
    "values-20-million": values_20_million,
}


def run(case: str, folder: Path, most_gb: float) -> list[Trial]:
    """Run the commands of a case until one fails."""
    (folder / "recipe.yaml").write_text(json.dumps(CASES[case](folder)))
    trials = []
    for verb, arguments in ARGUMENTS.items():
        trials.append(_timed(case, verb, arguments, folder, most_gb))
        if trials[-1].exit_code:
            break
    return trials


def _timed(case: str, verb: str, arguments: list[str], folder: Path, most_gb: float) -> Trial:
    limit = int(most_gb * (1 << 30))
    began = time.perf_counter()
    with (folder / f"{verb}.txt").open("w+") as said:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "rankelastor", "-q", *arguments],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=said,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),  # noqa: PLW1509 - no threads
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = said.read().strip().splitlines()
    return Trial(
        case,
        verb,
        process.returncode,
        round(time.perf_counter() - began, 1),
        round(used.ru_utime + used.ru_stime, 1),
        used.ru_maxrss // 1024,
        " ".join(lines[-6:]) if process.returncode else "",
    )


def table(results: Path) -> str:
    """Show results as a table in Markdown."""
    lines = ["| case | verb | exit code | processor seconds | peak memory |", "| --- | --- | ---: | ---: | ---: |"]
    for line in results.read_text().splitlines():
        trial = Trial(**json.loads(line))
        lines.append(
            f"| {trial.case} | {trial.command} | {trial.exit_code} | {trial.cpu_seconds:.1f} | {trial.peak_mb:,} MB |"
        )
        if trial.last_line:
            lines.append(f"| | {trial.last_line} | | | |")
    return "\n".join(lines)


def main() -> None:
    """Run the cases that have no result yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], default=[], metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--results", type=Path, default=Path("limits.jsonl"), help="file of results")
    parser.add_argument("--scratch", type=Path, default=None, help="where logs are written")
    parser.add_argument("--most-gb", type=float, default=20.0, help="limit of the address space of a command")
    parser.add_argument("--table", action="store_true", help="show the results and run nothing")
    arguments = parser.parse_args()
    if not arguments.table:
        done = {json.loads(line)["case"] for line in _lines(arguments.results)}
        for case in arguments.cases or [name for name in CASES if name not in done]:
            with TemporaryDirectory(dir=arguments.scratch, prefix="limits-") as folder:
                for trial in run(case, Path(folder), arguments.most_gb):
                    with arguments.results.open("a") as file:
                        file.write(json.dumps(asdict(trial)) + "\n")
    sys.stdout.write(table(arguments.results) + "\n")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    main()

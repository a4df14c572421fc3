"""Generate a click log in the format of Criteo's: label, 13 numbers, 26 categories, any number of rows.

Rows are written as they are drawn, so that memory use does not depend on the file size. The output is reproducible.

- Categories are 8 hexadecimal digits. The number of distinct values differs by column as it does in Criteo: a few
  columns have most of them. Half of the cells are drawn from a power law, half enumerate the values one by one, so
  that the first million rows contain all of two million values and further rows add none.
- Numbers have at most six decimals; some numbers and some categories are blank.
- The label depends on a number and two categories, so that a model can learn something.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer
from numpy.typing import NDArray

LABEL = "label"
NUMERIC = tuple(f"I{number}" for number in range(1, 14))
CATEGORICAL = tuple(f"C{number}" for number in range(1, 27))

_CHUNK_ROWS = 100_000
_POWER = 1.1
_SHARES = np.array(
    [1.4e3, 550, 3.4e5, 1.9e5, 300, 20, 1.2e4, 600, 3, 3.6e4, 5e3, 3.2e5, 3e3, 26, 1.1e4, 2.9e5, 10, 4e3, 2e3, 4,
     3.1e5, 17, 15, 6.5e4, 80, 4.8e4]
)  # fmt: skip
"""Relative numbers of distinct values of the columns: about those of a million rows of Criteo's log."""
_BLANK_NUMBERS = np.array([45, 0, 20, 20, 3, 22, 4, 0, 4, 45, 4, 76, 20]) / 100
_BLANK_CATEGORIES = {"C3": 0.03, "C6": 0.12, "C19": 0.44, "C20": 0.44, "C22": 0.76, "C25": 0.44}
_ODD = np.uint32(2654435761)  # multiplying by an odd number permutes the 32-bit integers


def vocabulary_sizes(num_distinct: int) -> dict[str, int]:
    """Compute the number of distinct values of each categorical column, about ``num_distinct`` in total.

    Columns with few values keep their number; the others are scaled by a common factor.
    """
    small = _SHARES <= 100  # noqa: PLR2004 - an enumeration rather than ids
    scale = max(num_distinct - _SHARES[small].sum(), 0) / _SHARES[~small].sum()
    sizes = np.where(small, _SHARES, np.maximum(_SHARES * scale, 2)).astype(int)
    return dict(zip(CATEGORICAL, sizes.tolist(), strict=True))


def write_criteo_like(file: Path, *, num_rows: int, num_distinct: int = 2_000_000, seed: int = 1) -> None:
    """Write ``num_rows`` rows with a header; see the module's docstring for their contents."""
    tables = {
        name: _texts(np.arange(size, dtype=np.uint32), seed=seed * 1000 + column)
        for column, (name, size) in enumerate(vocabulary_sizes(num_distinct).items())
    }
    with file.open("wb") as sink:
        for start in range(0, num_rows, _CHUNK_ROWS):
            stop = min(start + _CHUNK_ROWS, num_rows)
            rng = np.random.default_rng([seed, start])
            rows = _draw(rng, np.arange(start, stop), tables)
            rows.write_csv(sink, include_header=start == 0)


def _draw(rng: np.random.Generator, rows: NDArray[np.int64], tables: dict[str, pl.Series]) -> pl.DataFrame:
    ranks = {name: _ranks(rng, rows, len(table)) for name, table in tables.items()}
    numbers = {name: rng.lognormal(sigma=1.5, size=len(rows)).round(6) for name in NUMERIC}
    logit = 0.6 * np.log(numbers["I1"]) + 0.4 * np.cos(ranks["C1"]) + 0.4 * np.cos(ranks["C10"]) - 1.4
    columns = {LABEL: pl.Series((rng.random(len(rows)) < 1 / (1 + np.exp(-logit))).astype(np.int8))}
    for name, share in zip(NUMERIC, _BLANK_NUMBERS, strict=True):
        columns[name] = _insert_blanks(rng, pl.Series(numbers[name]), share)
    for name, table in tables.items():
        columns[name] = _insert_blanks(rng, table.gather(ranks[name]), _BLANK_CATEGORIES.get(name, 0.0))
    return pl.DataFrame(columns)


def _ranks(rng: np.random.Generator, rows: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Draw ranks: from a bounded power law in even rows, by enumeration in odd rows."""
    span = float(size + 1) ** (1 - _POWER) - 1
    drawn = (1 + rng.random(len(rows)) * span) ** (1 / (1 - _POWER)) - 1
    return np.where(rows % 2 == 0, np.minimum(drawn.astype(np.int64), size - 1), (rows // 2) % size)


def _texts(ranks: NDArray[np.uint32], *, seed: int) -> pl.Series:
    """Convert each rank to eight hexadecimal digits without a visible pattern, distinct within a column."""
    digits = np.array([f"{number:04x}" for number in range(1 << 16)])
    mixed = (ranks + np.uint32(seed * 7919 % 2**32)) * _ODD
    mixed ^= mixed >> np.uint32(15)
    return pl.Series(digits[mixed >> np.uint32(16)]) + pl.Series(digits[mixed & np.uint32(0xFFFF)])


def _insert_blanks(rng: np.random.Generator, cells: pl.Series, share: float) -> pl.Series:
    if not share:
        return cells
    blank = pl.Series(rng.random(len(cells)) < share)
    return cells.set(blank, None)


def main(
    file: Annotated[Path, typer.Argument(help="the CSV file to write")],
    rows: Annotated[int, typer.Option(help="how many rows")] = 1_000_000,
    distinct: Annotated[int, typer.Option(help="distinct values of all categorical columns together")] = 2_000_000,
    seed: Annotated[int, typer.Option(help="another seed draws another log")] = 1,
) -> None:
    """Write a click log like Criteo's as CSV."""
    write_criteo_like(file, num_rows=rows, num_distinct=distinct, seed=seed)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog="Example: python benchmarks/criteo_like.py /tmp/log.csv --rows 100000")(main)
    app()

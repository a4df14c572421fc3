"""The rows of a log by day, and what is no log of days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rankelastor.backtesting.day_files import DayFiles, names_of, write_days
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError
from rankelastor.progress import SilentProgress

Divide = Callable[..., tuple[DayFiles, ...]]


@pytest.fixture
def divide(tmp_path: Path) -> Divide:
    """Divide the files of a log by day; half of the rows are held out."""

    def run(files: str | Sequence[str] = "log.csv", *, day_format: str | None = None, **changes: Any) -> Any:
        values: dict[str, Any] = {
            "prepared": "unused",
            "files": {"folder": str(tmp_path), "all": files},
            "split": {"kind": "random"},
            "label": "click",
            "fields": [{"kind": "categorical", "column": "site"}],
        }
        data = DataSettings.model_validate(values | changes)
        return write_days(
            data, tmp_path / "days", by="day", day_format=day_format, valid_share=0.5, progress=SilentProgress()
        )

    return run


def log_of(days: Sequence[object], rows_per_day: int = 40) -> pl.DataFrame:
    rows = [(row % 2, f"s{row % 3}", day) for day in days for row in range(rows_per_day)]
    return pl.DataFrame(rows, schema=["click", "site", "day"], orient="row")


def rows_of(day: DayFiles) -> int:
    return sum(pl.read_parquet(f"{day.part(part)}/*.parquet").height for part in ("train", "valid"))


def test_rows_lie_by_day_and_each_day_holds_some_out(divide: Divide, tmp_path: Path) -> None:
    log_of(["2026-11-01", "2026-11-02"]).write_csv(tmp_path / "log.csv")
    days = divide()
    assert names_of(days) == ["2026-11-01", "2026-11-02"]
    for day in days:
        assert rows_of(day) == sum(day.num_rows.values()) == 40
        assert 5 < day.num_rows["valid"] < 35


def test_the_order_of_the_rows_does_not_matter(divide: Divide, tmp_path: Path) -> None:
    log_of(["2026-11-03", "2026-10-31", "2026-11-01"]).reverse().write_csv(tmp_path / "log.csv")
    assert names_of(divide()) == ["2026-10-31", "2026-11-01", "2026-11-03"]


@pytest.mark.parametrize(
    ("days", "day_format", "names"),
    [
        ([1, 2, 10], None, ["1", "2", "10"]),
        (["2026-11-01T23:59:59", "2026-11-02T00:00:00"], None, ["2026-11-01", "2026-11-02"]),
        ([86_399, 86_400], "epoch_seconds", ["1970-01-01", "1970-01-02"]),
        (["31/12/2025", "01/01/2026"], "%d/%m/%Y", ["2025-12-31", "2026-01-01"]),
    ],
    ids=["numbers", "times", "seconds", "a pattern"],
)
def test_days_are_numbers_dates_or_times(
    divide: Divide, tmp_path: Path, days: list[object], day_format: str | None, names: list[str]
) -> None:
    log_of(days).write_csv(tmp_path / "log.csv")
    assert names_of(divide(day_format=day_format)) == names


def test_typed_days_and_folders_of_days_are_read(divide: Divide, tmp_path: Path) -> None:
    log_of([dt.date(2026, 11, 1), dt.date(2026, 11, 2)]).write_parquet(tmp_path / "log.parquet")
    assert names_of(divide("log.parquet")) == ["2026-11-01", "2026-11-02"]


def test_folders_may_name_the_days(divide: Divide, tmp_path: Path) -> None:
    for day in ("2026-11-01", "2026-11-02"):
        folder = tmp_path / "log" / f"day={day}"
        folder.mkdir(parents=True)
        log_of([day]).drop("day").write_parquet(folder / "part.parquet")
    assert names_of(divide("log")) == ["2026-11-01", "2026-11-02"]


def test_days_are_written_once_and_the_same_rows_are_held_out(divide: Divide, tmp_path: Path) -> None:
    log_of(["2026-11-01", "2026-11-02"]).write_csv(tmp_path / "log.csv")
    first = divide()
    (tmp_path / "log.csv").unlink()
    assert divide() == first, "the folder that is there is read"


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (["2026-11-01"], r"at least 2 days .* column 'day' holds 1; name more files"),
        (["monday", "tuesday"], r"must hold times as iso"),
        ([1.5, 2.0], r"row 1 must hold a day, but 1\.5 is given"),
        (list(range(400)), r"at most 366 days, but 'day' holds more; seconds since 1970 need a format"),
        ([None, "2026-11-01"], r"must not be blank"),
    ],
    ids=["one day", "words", "fractions", "a user", "blanks"],
)
def test_a_column_that_holds_no_days_is_refused(
    divide: Divide, tmp_path: Path, days: list[object], message: str
) -> None:
    log_of(days).write_csv(tmp_path / "log.csv")
    with pytest.raises(DataError, match=message):
        divide()
    assert not (tmp_path / "days").exists()


def test_a_day_without_clicks_and_a_missing_column_are_refused(divide: Divide, tmp_path: Path) -> None:
    quiet = log_of(["2026-11-02"]).with_columns(click=pl.lit(0, dtype=pl.Int64))
    pl.concat([log_of(["2026-11-01"]), quiet]).write_csv(tmp_path / "log.csv")
    with pytest.raises(DataError, match=r"day 2026-11-02 that are trained on 0 have label 1 .*leave the day out"):
        divide()
    log_of(["2026-11-01", "2026-11-02"]).drop("day").write_csv(tmp_path / "log.csv")
    with pytest.raises(DataError, match="'day'"):
        divide()

"""Tables on terminals of all widths: no number is ever cut."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from rankelastor.cli.console import UNLIMITED
from rankelastor.cli.fitted_table import FittedTable

NUMBERS = st.floats(-1e9, 1e9).map(lambda number: f"{number:.3e}")


def shown(table: FittedTable, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(table)
    return file.getvalue()


@settings(max_examples=40)
@given(
    rows=st.lists(st.tuples(st.text("abc ", min_size=1, max_size=50), st.lists(NUMBERS, min_size=3, max_size=3))),
    width=st.integers(30, 120),
)
def test_every_number_is_there_whole_and_no_line_is_too_long(rows: list[tuple[str, list[str]]], width: int) -> None:
    table = FittedTable("name", "a long header", "b", "c")
    for name, numbers in rows:
        table.add_row(name, *numbers)
    text = shown(table, width)
    for _, numbers in rows:
        assert all(number in text for number in numbers)
    assert max(map(len, text.splitlines())) <= width


def test_without_a_limit_nothing_is_shortened_or_broken() -> None:
    table = FittedTable("name", "number")
    table.columns[0].no_wrap = True
    table.add_row("long " * 100, "1.0")
    assert ("long " * 100).strip() in shown(table, UNLIMITED)
    assert "…" in shown(table, 80)


def test_columns_that_do_not_fit_go_on_below_beside_the_names() -> None:
    table = FittedTable("name", *"abc", title="Title")
    table.add_row("row 1", *["123456789"] * 3)
    lines = [line.split() for line in shown(table, 31).splitlines()]
    assert lines == [
        ["Title"],
        ["name", "a", "b"],
        ["row", "1", "123456789", "123456789"],
        [],
        ["name", "c"],
        ["row", "1", "123456789"],
    ]


def test_a_header_is_broken_before_a_number_is_moved() -> None:
    table = FittedTable("name", "ids with padding", "rows")
    table.add_row("site", "12", "34")
    assert [line.split() for line in shown(table, 26).splitlines()][-1] == ["site", "12", "34"]


@pytest.mark.parametrize("width", [1, 5])
def test_an_absurd_width_does_no_harm(width: int) -> None:
    table = FittedTable("name", "a", "b")
    table.add_row("site", "12", "34")
    assert shown(table, width)

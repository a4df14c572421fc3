import time

import pytest

from rankelastor.errors import DataError, RankElastorError, shorten


def test_long_values_are_cut_and_short_ones_stay() -> None:
    assert str(DataError("x must be a number, but 'abc' was given")) == "x must be a number, but 'abc' was given"
    shown = str(DataError(f"x must be a number, but {'a' * 5000!r} was given; the run's end isn't near"))
    assert shown == f"x must be a number, but '{'a' * 40} … (5,000 characters)' was given; the run's end isn't near"
    assert str(DataError(f"it has {'7' * 5000}")) == f"it has {'7' * 40} … (5,000 characters)"


@pytest.mark.parametrize("text", ["'a' or 'b' " * 50, "/folder" * 60, "the user's own file " * 40, '"a" and "b"' * 30])
def test_prose_lists_and_paths_stay(text: str) -> None:
    assert str(RankElastorError(text)) == text


@pytest.mark.parametrize("text", ["'" * 1_000_000, '"a' * 500_000, "a" * 5_000_000, "'a\n" * 300_000])
def test_no_value_makes_a_message_slow(text: str) -> None:
    began = time.process_time()
    assert len(str(RankElastorError(text))) <= 20_000
    assert time.process_time() - began < 1


def test_a_value_is_written_as_python_writes_it() -> None:
    assert shorten("a'b") == '"a\'b"'
    assert len(shorten("a" * 1000)) < 80

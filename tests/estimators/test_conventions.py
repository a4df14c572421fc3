"""Tests that the page says which of scikit-learn's checks pass."""

import pytest
from tests.estimators.conventions import PAGE, UNKNOWN, page_with, table


@pytest.mark.slow  # trains about a hundred rankers
def test_the_page_lists_the_checks_as_they_are() -> None:
    assert page_with(table()) == PAGE.read_text(encoding="utf-8")


def test_every_check_that_cannot_pass_has_a_reason() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "checks pass." in page
    assert UNKNOWN not in page

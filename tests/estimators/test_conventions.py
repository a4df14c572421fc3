"""Tests that the page says which of scikit-learn's checks pass."""

import pytest
from tests.estimators.conventions import LAST_BITS, PAGE, UNKNOWN, WEIGHTS, page_with, reason_of, table


@pytest.mark.slow  # trains about a hundred rankers
def test_the_page_lists_the_checks_as_they_are() -> None:
    assert page_with(table()) == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "message", "reason"),
    [
        ("check_methods_subset_invariance", "{} is not invariant when applied to a subset. {} 3.1e-07\n", LAST_BITS),
        ("check_methods_subset_invariance", "{} is not invariant when applied to a subset. {} 0.02\n", UNKNOWN),
        ("check_methods_subset_invariance", "ValueError", UNKNOWN),
        (
            "check_sample_weight_equivalence_on_dense_data",
            "{} fitting with `sample_weight` is not equivalent to fitting with removed or repeated data points. {} 0.4",
            WEIGHTS,
        ),
        ("check_sample_weight_equivalence_on_dense_data", "a column is missing", UNKNOWN),
        ("check_dict_unchanged", "{} is not invariant when applied to a subset. {} 3.1e-07\n", UNKNOWN),
    ],
)
def test_a_reason_is_given_for_its_message_alone(name: str, message: str, reason: str) -> None:
    error = AssertionError(message.format("predict_proba", "Max absolute difference among violations:"))
    assert reason_of(name, error) == reason


def test_every_check_that_cannot_pass_has_a_reason() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "checks pass." in page
    assert UNKNOWN not in page

"""Holm's correction, by hand."""

from __future__ import annotations

import pytest

from rankelastor.studies.findings.holm import holm


def test_the_smallest_p_counts_as_often_as_there_are_comparisons() -> None:
    assert holm([0.02, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])


def test_a_corrected_p_is_at_most_one_and_never_below_a_smaller_one() -> None:
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([0.5]) == [0.5]
    assert holm([None, 0.5, None]) == [None, 0.5, None]

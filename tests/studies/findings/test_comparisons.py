"""A study's differences: pairs of points that differ by one axis, over the seeds that both have."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.studies.small_study import made_line, small_study

from rankelastor.studies.findings.cells import Cell, cells_of
from rankelastor.studies.findings.comparisons import comparisons_of, smallest_of
from rankelastor.studies.plan.grid import plan_study
from rankelastor.studies.plan.settings import StudySettings
from rankelastor.studies.plan.study_file import read_study
from rankelastor.studies.work.lines import RunLine


def study(**changes: object) -> tuple[StudySettings, list[Cell]]:
    """The cells of a study in which the mixer is .01 better at order 2 and equal at order 3."""
    lines: list[RunLine] = []
    for seed, luck in ((1, 0.0), (2, 0.05), (3, 0.02)):
        wobble = seed / 1e5
        lines += [
            made_line("elastor", seed, 0.7 + luck, point={"order": "2"}),
            made_line("mixer", seed, 0.71 + luck + wobble, point={"order": "2"}),
            made_line("elastor", seed, 0.6 + luck, point={"order": "3"}),
            made_line("mixer", seed, 0.6 + luck + (seed - 2) / 100, point={"order": "3"}),
        ]
    read = read_study(small_study(seeds=3, **changes))
    return read.settings, cells_of(plan_study(read, Path("x")), lines)


def test_recipes_are_compared_at_each_point_and_luck_of_the_seeds_cancels() -> None:
    settings, cells = study()
    found = comparisons_of(settings, cells, "auc")
    assert [(each.rest, each.value, each.against) for each in found] == [
        ({"order": "2"}, "mixer", "elastor"), ({"order": "3"}, "mixer", "elastor"),
    ]  # fmt: skip
    assert [each.difference.mean for each in found] == pytest.approx([0.01002, 0.0], abs=1e-9)
    assert [each.verdict for each in found] == ["better", "cannot be told apart"]
    p = found[0].difference.p
    assert p is not None
    assert found[0].corrected_p == pytest.approx(2 * p)  # Holm: two comparisons
    assert 0.01 < (smallest_of(found) or 0) < 0.02


def test_another_axis_and_another_metric() -> None:
    settings, cells = study(compare={"axis": "order", "against": "3"})
    found = comparisons_of(settings, cells, "logloss")
    assert [(each.rest["recipe"], each.value) for each in found] == [("elastor", "2"), ("mixer", "2")]
    assert found[1].verdict == "better"  # a smaller logloss
    assert found[1].difference.mean < 0


def test_points_keep_the_order_of_the_study() -> None:
    _, cells = study()
    assert [cell.name for cell in cells] == ["elastor/order=2", "mixer/order=2", "elastor/order=3", "mixer/order=3"]
    assert cells[0].mean("auc") == pytest.approx(0.7 + 0.07 / 3)
    assert cells[0].mean("gauc") is None
    assert cells[0].mean("dense_parameters") == 100

"""Rank and AUC: what goes together over all runs need not go together within a recipe."""

from __future__ import annotations

from pathlib import Path

from tests.studies.small_study import made_line, small_study

from rankelastor.studies.findings.cells import cells_of
from rankelastor.studies.findings.rank_and_auc import rank_and_auc
from rankelastor.studies.plan.grid import plan_study
from rankelastor.studies.plan.study_file import read_study


def test_a_better_model_of_higher_rank_whose_own_rank_does_not_help() -> None:
    axes = {"size": {"setting": "model.embedding_dim", "values": [1, 2, 3, 4, 5]}}
    lines = []
    for size in range(1, 6):
        for recipe, base in (("elastor", 0.0), ("mixer", 1.0)):
            for seed in (1, 2):
                rank = 2 + 3 * base + size / 10 + seed / 100
                auc = 0.6 + 0.1 * base - size / 100 + 0.001 * seed
                ranks = {"stable_rank": {"tokens": 9.0, "block0.pffn": rank}}
                lines.append(made_line(recipe, seed, auc, point={"size": str(size)}, ranks=ranks))
    study = read_study(small_study(axes=axes))
    cells = cells_of(plan_study(study, Path("x")), lines)
    found = {each.scope: each for each in rank_and_auc(cells)}
    assert found["all runs"].correlation > 0
    assert found["within a recipe"].correlation < -0.9
    assert found["within a recipe"].verdict == "higher rank goes with lower AUC"
    assert found["within a point"].correlation > 0.8
    assert found["all runs"].num_runs == 20

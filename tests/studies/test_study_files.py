"""Every study file of the project is a grid of recipes, and runs end to end on generated files of the same layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.published_layouts import write_layout
from tests.studies.small_study import write_yaml

from rankelastor.studies.plan.grid import plan_study
from rankelastor.studies.plan.study_file import read_study
from rankelastor.studies.work.run_study import run_study
from rankelastor.training.size_check import check_sizes

STUDIES = Path(__file__).parents[2] / "studies"
ALL = sorted(path.relative_to(STUDIES).as_posix() for path in STUDIES.rglob("*.yaml"))
PAPER = {"criteo": "Criteo_x1", "avazu": "Avazu_x4", "kuaivideo": "KuaiVideo_x1", "taobaoad": "TaobaoAd_x1"}


@pytest.mark.parametrize("name", ALL)
def test_each_study_is_a_grid(name: str, tmp_path: Path) -> None:
    plan = plan_study(read_study(STUDIES / name), tmp_path)
    assert plan.study.settings.question
    assert len(plan.runs) == len(set(plan.keys))
    for run in plan.runs[: len(plan.runs) // len(plan.study.settings.seeds)]:
        check_sizes(run.recipe)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((STUDIES / "paper").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_paper_s_studies_run_on_files_of_the_same_layout(path: Path, tmp_path: Path) -> None:
    dataset = next(name for begin, name in PAPER.items() if path.stem.startswith(begin))
    files = write_layout(dataset, tmp_path / "raw")
    values = yaml.safe_load(path.read_text())
    values["recipes"] = {
        name: str((path.parent / given).resolve()) if isinstance(given, str) else given
        for name, given in values["recipes"].items()
    }
    values["changes"] = values.get("changes", {}) | {
        "data.files.folder": str(files), "data.prepared": str(tmp_path / "prepared"), "training.epochs": 1,
        "training.batch_size": 256,
    }  # fmt: skip
    values |= {"seeds": [2019], "rank_examples": 64}
    found = run_study(write_yaml(tmp_path / "study.yaml", values), folder=tmp_path / "out")
    assert {line.key: line.reason for line in found.lines if not line.is_finished} == {}

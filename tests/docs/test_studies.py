"""The worked example of docs/studies.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tests.studies.small_study import write_yaml

from rankelastor.studies.plan.grid import plan_study
from rankelastor.studies.plan.study_file import read_study
from rankelastor.studies.work.run_study import run_study

PAGE = Path(__file__).parents[2] / "docs" / "studies.md"


def example() -> str:
    found = re.search(r"```yaml\n(# gate\.yaml.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_is_the_grid_that_it_seems(tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text(example())
    plan = plan_study(read_study(tmp_path / "gate.yaml"), tmp_path)
    assert len(plan.runs) == 12
    assert plan.keys[0] == "with_mlp/width=narrow/rate=0.0/seed=1"


def test_the_example_runs_with_fewer_rows(tmp_path: Path) -> None:
    values = yaml.safe_load(example())
    values["log"] |= {"train_rows": 1000, "valid_rows": 300, "test_rows": 300}
    found = run_study(
        write_yaml(tmp_path / "gate.yaml", values), folder=tmp_path / "out", only="*/width=narrow/*/seed=1"
    )
    assert [line.status for line in found.lines] == ["finished", "finished"]
    sizes = [line.cost["dense_parameters"] for line in found.lines]
    assert abs(sizes[0] - sizes[1]) <= 0.03 * sizes[1]


@pytest.mark.slow
def test_the_example_runs_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text(example())
    found = run_study(tmp_path / "gate.yaml", folder=tmp_path / "out")
    assert all(line.is_finished for line in found.lines)

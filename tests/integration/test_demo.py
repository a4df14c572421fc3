from pathlib import Path

import pytest

from rankelastor.errors import RunError
from rankelastor.models.cost import cost_of
from rankelastor.schema import CategoricalFeature, FeatureSchema
from rankelastor.studies.demo import demo_models, run_demo


def test_the_demo_compares_both_models_with_what_is_possible(tmp_path: Path) -> None:
    report = run_demo(tmp_path / "demo", num_rows=3000)
    assert [row.model for row in report.rows] == ["rankmixer", "rankelastor"]
    for row in report.rows:
        assert row.share_of_gain == pytest.approx((row.auc - 0.5) / (report.best.auc - 0.5))
        assert next(iter(row.mean_stable_rank)) == "tokens"
        assert all(rank is not None and 1 <= rank <= report.max_rank for rank in row.mean_stable_rank.values())
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {"log", "prepared", "runs"}


def test_both_models_have_about_the_same_number_of_dense_parameters() -> None:
    schema = FeatureSchema(tuple(CategoricalFeature(str(index), 5) for index in range(12)))
    mixer, elastor = (cost_of(model, schema).dense_parameters for model in demo_models())
    assert mixer == pytest.approx(elastor, rel=0.03)


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="must have its own folder"):
        run_demo(tmp_path, num_rows=3000)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

"""The grid of a study: all combinations, seed by seed, each a recipe; what does not go together is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import tiny_values
from tests.studies.small_study import small_study, write_yaml

from rankelastor.errors import SettingsError
from rankelastor.studies.plan.grid import Plan, plan_study
from rankelastor.studies.plan.study_file import read_study


def plan(values: dict[str, Any], folder: Path = Path("study")) -> Plan:
    return plan_study(read_study(values), folder)


def test_a_grid_is_all_combinations_seed_by_seed() -> None:
    found = plan(small_study())
    assert found.keys == (
        "elastor/order=2/seed=1", "mixer/order=2/seed=1", "elastor/order=3/seed=1", "mixer/order=3/seed=1",
        "elastor/order=2/seed=2", "mixer/order=2/seed=2", "elastor/order=3/seed=2", "mixer/order=3/seed=2",
    )  # fmt: skip
    last = found.runs[-1]
    assert last.recipe.training.seed == 2
    assert last.recipe.model.kind == "rankmixer"
    assert last.log is not None
    assert last.log.order == 3
    assert last.changes == {"log.order": 3}


def test_points_of_one_log_share_its_prepared_data() -> None:
    found = plan(small_study(axes={"rate": {"setting": "training.embedding_l2", "values": [0.1, 0.2]}}))
    assert len({run.recipe.data.prepared for run in found.runs}) == 1
    moved = plan(small_study(axes={"count": {"setting": "data.fields.0.min_count", "values": [1, 5]}}))
    assert len({run.recipe.data.prepared for run in moved.runs}) == 2


def test_several_settings_move_together_under_one_name() -> None:
    points = {
        "small": {},
        "large": {"model.token_dim": 8, "mixer": {"model.ffn.hidden_dims": [16]}},
    }
    runs = {run.key: run.recipe.model.model_dump() for run in plan(small_study(axes={"size": {"points": points}})).runs}
    assert runs["mixer/size=large/seed=1"]["token_dim"] == 8
    assert runs["mixer/size=large/seed=1"]["ffn"]["hidden_dims"] == (16,)
    assert runs["elastor/size=large/seed=1"]["ffn"]["hidden_dims"] == (4,)
    assert runs["elastor/size=small/seed=1"]["token_dim"] == 4


def test_recipes_are_files_beside_the_study_or_like_one_another(click_log: Path, tmp_path: Path) -> None:
    write_yaml(tmp_path / "tiny.yaml", tiny_values(click_log, prepared=tmp_path / "prepared"))
    values = {
        "name": "files",
        "recipes": {"base": "tiny.yaml", "wide": {"like": "base", "changes": {"model.token_dim": 12}}},
        "seeds": [7],
    }
    found = plan_study(read_study(write_yaml(tmp_path / "study.yaml", values)), tmp_path / "out")
    assert [run.recipe.model.model_dump()["token_dim"] for run in found.runs] == [6, 12]
    assert {run.recipe.data.prepared for run in found.runs} == {str(tmp_path / "prepared")}
    assert found.runs[0].recipe.training.seed == 7


def two(first: str, second: str) -> dict[str, Any]:
    return {"one": {"setting": first, "values": [1, 2]}, "two": {"setting": second, "values": [1, 2]}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": {"x": {"setting": "model.tokn_dim", "values": [4]}}},
         r"study: the point elastor/x=4: unknown setting model.tokn_dim; did you mean .*token_dim"),
        ({"axes": two("model.token_dim", "model.token_dim")},
         "axes.two moves model.token_dim and axes.one moves model.token_dim; join them"),
        ({"axes": two("training.patience", "training.stopping.patience")}, "axes.two moves training.stopping.pat"),
        ({"axes": two("model.ffn", "model.ffn.dropout")}, "axes.two moves model.ffn.dropout and axes.one moves"),
        ({"axes": {"x": {"setting": "training.epochs", "values": [1]}}}, "axes.x moves .* and changes sets train"),
        ({"axes": {"x": {"setting": "training.seed", "values": [1]}}}, "axes.x must not move training.seed, which `se"),
        ({"axes": {"x": {"setting": "log.ranc", "values": [1]}}}, "unknown setting ranc; did you mean rank"),
        ({"axes": {"x": {"setting": "log.order", "values": [9]}}}, "order must be .*9"),
        ({"axes": {"x": {"points": {"a": {"mixr": {}}}}}}, r"axes.x.points.a must hold paths .* but 'mixr' was given"),
        ({"axes": {"x": {"points": {"a": {"mixer": 3}}}}}, "axes.x.points.a.mixer must map paths to values, but 3"),
        ({"axes": {"x": {"setting": "model.token_dim"}}}, "an axis must have either setting and values, or points"),
        ({"axes": {"x": {"setting": "model.token_dim", "values": [4, 4]}}}, "must differ, but 4 stands there twice"),
        ({"axes": {"seed": {"setting": "model.token_dim", "values": [4]}}}, "must not be called seed"),
        ({"seeds": [1, 1]}, r"seeds must differ, but \[1, 1\] were given"),
        ({"recipes": {"a": {"like": "b"}}}, "recipes.a: like must name one of the recipes, but 'b' was given"),
        ({"recipes": {"a": {"like": "b"}, "b": {"like": "a"}}}, "recipes.a: like must name one of"),
        ({"recipes": {"a": "tiny.yaml"}}, "recipes.a: must be settings of model and training, since `log` makes"),
        ({"budget": {"runs": 3}}, r"budget.runs must be at least the number of runs, which is 8 \(4 points, 2 seeds\)"),
        ({"match": {"parameters_of": "x", "adjust": {"mixer": "model.token_dim"}}}, "match must name recipes of elast"),
        ({"compare": {"axis": "size"}}, "compare.axis must be one of recipe, order, but 'size' was given"),
        ({"compare": {"axis": "order", "against": "4"}}, "compare.against must be one of 2, 3, but '4' was given"),
        ({"log": None, "axes": {"x": {"setting": "log.order", "values": [2]}}}, "the study has no planted log"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plan(small_study(**changes))


def test_a_missing_study_says_what_lies_near(tmp_path: Path) -> None:
    write_yaml(tmp_path / "mine.yaml", {"name": "x"})
    with pytest.raises(SettingsError, match=r"does not exist; did you mean .*mine.yaml"):
        read_study(tmp_path / "mien.yaml")
    with pytest.raises(SettingsError, match="recipes is missing, but required"):
        read_study(tmp_path / "mine.yaml")

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rankelastor.cli.evaluation_view import by_value_table, evaluation_json
from rankelastor.errors import SettingsError
from rankelastor.evaluation import by_value
from rankelastor.evaluation.evaluate import evaluate_with_unseen
from rankelastor.recipes.load import recipe_from_values
from rankelastor.training.run import train


def test_metrics_by_value_are_those_of_its_rows_worst_first(
    recipe_values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_value, "FEWEST_ROWS", 3)
    run = train(recipe_from_values(recipe_values), folder=tmp_path / "run").folder
    found = evaluate_with_unseen(run, by="site")
    values = {each.value: each for each in found.by_value}
    assert set(values) == {"a", "b", "(1 values of under 3 rows)"}
    assert values["a"].label_rate == pytest.approx(0.5)
    assert values["a"].metrics.value("num_examples") == 4
    areas = [each.metrics.value("auc") for each in found.by_value]
    assert areas == sorted(areas)
    assert by_value_table(found.by_value).row_count == 3
    as_json = evaluation_json({run: found}, split="test")
    assert [each["value"] for each in as_json["by_value"]["test"]] == [each.value for each in found.by_value]
    assert as_json["intervals"]["test"]["auc"]["method"] == "DeLong"
    with pytest.raises(SettingsError, match=r"a field with one value a row .*, but 'price' was given; try one of site"):
        evaluate_with_unseen(run, by="price")

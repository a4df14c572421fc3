"""The verbs that compute, and only these, configure the allocator to keep large blocks."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from rankelastor.cli.main import app


@pytest.mark.parametrize(
    ("verb", "num_calls"),
    [("train RECIPE --run RUN", 1), ("profile RECIPE --steps 1 --warmup 0", 1), ("prepare RECIPE", 0), ("schema", 0)],
)
def test_verbs_that_compute_keep_large_blocks(
    verb: str, num_calls: int, recipe_values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr("rankelastor.execution.allocator.keep_large_blocks", lambda: calls.append(verb))
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe_values))
    places = {"RECIPE": str(tmp_path / "recipe.yaml"), "RUN": str(tmp_path / "run")}
    done = CliRunner().invoke(app, [places.get(word, word) for word in verb.split()])
    assert done.exit_code == 0, done.output
    assert len(calls) == num_calls

"""The Python example of README runs from ten raw rows to probabilities."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

README = Path(__file__).parents[2] / "README.md"


def test_readmes_python_runs_as_it_stands(
    recipe_values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = [code for code in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "load_recipe" in code]
    assert len(block.strip().splitlines()) < 15
    monkeypatch.chdir(tmp_path)
    recipe_values["training"] |= {"epochs": 40, "patience": 40}
    Path("recipe.yaml").write_text(yaml.safe_dump(recipe_values))
    Path("new.csv").write_text("site,device,price,user\na,phone,1.0,u1\na,tablet,1.0,u1\n")
    exec(compile(block, str(README), "exec"), {})
    phone, tablet = pl.read_csv("scored.csv")["probability"]
    assert phone > 0.5 > tablet

"""A sample to start with: a synthetic click log as CSV, new rows to score, and a recipe that trains on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rankelastor.data.synthetic import LABEL, SECOND_LABEL, TRUTH_FILE, ClickLog, write_click_log
from rankelastor.drafting.recipe_text import inline
from rankelastor.errors import RunError
from rankelastor.storage import whole_file

RECIPE_FILE, NEW_FILE = "recipe.yaml", "new.csv"
_PREPARED = "prepared"
_OURS = frozenset({"train.csv", "valid.csv", "test.csv", TRUTH_FILE, RECIPE_FILE, NEW_FILE, _PREPARED})
_NEW_ROWS = 100
_SIZES = {
    "user": 120,
    "ad": 50,
    "site": 25,
    "campaign": 10,
    "category": 8,
    "city": 15,
    "device": 8,
    "hour": 24,
    "slot": 6,
}
"""Few values, so that a log that trains in seconds teaches a model most of what can be learned."""

_RECIPE = """\
# A synthetic click log, written by `rankelastor sample`. truth.json holds the best AUC that any model can reach on it.
# Paths count from the folder in which rankelastor is called.
# What is left out, such as the batch size and the sizes of the model, is chosen for the data: `rankelastor describe`.
version: 2
name: sample
data:
  prepared: {prepared}             # written by `rankelastor prepare`: vocabularies and encoded columns
  files:
    folder: {folder}
    train: train.csv
    valid: valid.csv
    test: test.csv
  label: {label}                               # 0 or 1
  fields:
    - {{kind: group, column: user}}              # gAUC by user
    - kind: categorical
      column: [user, ad, site, campaign, category, city, device, hour, slot]
      min_count: 2                           # a value seen once in train counts as unseen
    - {{kind: numeric, column: [price, age, depth], transform: standardise}}
model:
  kind: rankelastor                          # or rankmixer, deepfm, mlp
training:
  seed: 1
"""


@dataclass(frozen=True)
class Sample:
    """What was written: the log, the recipe, and rows without a label to score."""

    log: ClickLog
    recipe: Path
    new_rows: Path


def write_sample(folder: str | Path, *, num_rows: int = 20_000, seed: int = 7, second_label: bool = False) -> Sample:
    """Write a synthetic click log as CSV, its recipe, and 100 test rows without label.

    Args:
        folder: created if it does not exist; an earlier sample in it is replaced.
        num_rows: number of rows of all splits together.
        seed: seed of the log, which depends on it and on ``num_rows`` alone.
        second_label: whether the log has a label `buy` behind `click`, and the recipe learns both.

    Raises:
        RunError: the folder contains other files than those of a sample.
        StorageError: the folder cannot be written.
    """
    folder = Path(folder)
    if folder.is_dir() and (others := sorted(item.name for item in folder.iterdir() if item.name not in _OURS)):
        raise RunError(f"a sample must have its own folder, but {folder} contains {others[:5]}; try another folder")
    log = write_click_log(folder, num_rows=num_rows, seed=seed, sizes=_SIZES, second_label=second_label)
    new_rows = folder / NEW_FILE
    labels = [LABEL, SECOND_LABEL] if second_label else [LABEL]
    with whole_file(new_rows) as file:
        pl.read_csv(folder / "test.csv", infer_schema=False).drop(labels).head(_NEW_ROWS).write_csv(file)
    recipe = folder / RECIPE_FILE
    with whole_file(recipe) as file:
        paths = {"folder": inline(str(folder)), "prepared": inline(str(folder / _PREPARED))}
        text = _RECIPE.format(label=LABEL, **paths)
        file.write_text(_with_second_label(text) if second_label else text, encoding="utf-8")
    return Sample(log, recipe, new_rows)


def _with_second_label(recipe: str) -> str:
    """Change the recipe of one label to one of two: purchases follow clicks."""
    labels = f"  labels: {{{LABEL}: {LABEL}, {SECOND_LABEL}: {SECOND_LABEL}}}   # a purchase follows a click\n"
    lines = [labels if line.startswith("  label: ") else line for line in recipe.splitlines(keepends=True)]
    after = f"after: {{{SECOND_LABEL}: {LABEL}}}"
    tasks = f"  tasks: {{kind: mmoe, num_experts: 3, width: 16, {after}}}   # or shared_bottom, ple\n"
    monitor = f"  monitor: {{{LABEL}.auc: 1, {SECOND_LABEL}.auc: 1}}\n"
    return "".join(lines).replace("training:\n", f"{tasks}training:\n{monitor}")

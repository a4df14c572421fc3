"""Compare the memory that is foretold of a training with the peak that is measured, each in a process of its own.

    python benchmarks/memory.py [RECIPE ...]

Every case of the named recipes, or of all, trains one epoch of a recipe with some settings changed. ``speed`` of
result.json holds both figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

RECIPES = Path(__file__).parents[1] / "recipes"
CASES = (
    ("frappe/rankelastor", ()),
    ("frappe/mlp", ()),
    ("soso_clicks/rankelastor", ()),
    ("soso_clicks/rankelastor", ("model.embedding_dim=400", "model.token_dim=400")),
    ("criteo_10k/rankelastor", ()),
    ("criteo_10k/rankelastor", ("training.batch_size=8192",)),
    ("avazu_10k/rankelastor", ("model.embedding_dim=500", "model.num_tokens=5", "model.token_dim=100")),
    ("avazu_10k/rankelastor", ("model.embedding_dim=500", "model.num_tokens=5", "training.embedding_updates=dense")),
    ("ml1m_history/rankelastor", ()),
)


def measure(recipe: str, changes: tuple[str, ...], folder: Path) -> tuple[int, int]:
    """Train one epoch; return forecast and peak in bytes."""
    changed = [*changes, "training.epochs=1", "training.baseline=false", f"data.prepared={folder / 'prepared'}"]
    command = [
        sys.executable,
        "-m",
        "rankelastor",
        "train",
        str(RECIPES / f"{recipe}.yaml"),
        "--run",
        str(folder / "run"),
    ]
    prepare = [sys.executable, "-m", "rankelastor", "prepare", str(RECIPES / f"{recipe}.yaml")]
    settings = [part for change in changed for part in ("--set", change)]
    subprocess.run([*prepare, *settings], check=True, capture_output=True)  # noqa: S603 - so that only training is measured
    subprocess.run([*command, *settings], check=True, capture_output=True)  # noqa: S603
    speed = json.loads((folder / "run" / "result.json").read_text())["speed"]
    return speed["forecast_memory_bytes"], speed["peak_memory_bytes"]


def main() -> None:
    """Measure all cases and print a table."""
    print("recipe                    changed                                          forecast MB  peak MB  error")  # noqa: T201
    chosen = sys.argv[1:]
    for recipe, changes in CASES:
        if chosen and recipe not in chosen:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                forecast, peak = measure(recipe, changes, Path(folder))
            except subprocess.CalledProcessError as error:
                print(f"{recipe}: {error.stderr.decode()[-300:]}")  # noqa: T201
                continue
        shown = " ".join(changes) or "-"
        print(  # noqa: T201
            f"{recipe:<25} {shown:<60} {forecast / 1e6:>8,.0f} {peak / 1e6:>8,.0f} {forecast / peak - 1:>+6.0%}",
            flush=True,
        )


if __name__ == "__main__":
    main()

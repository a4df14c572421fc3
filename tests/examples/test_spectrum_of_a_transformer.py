"""The example that records a plain torch.nn.TransformerEncoder runs, and prints its table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "spectrum_of_a_transformer.py"


def test_a_transformer_of_pytorchs_own_is_recorded() -> None:
    finished = subprocess.run([sys.executable, "-W", "error", EXAMPLE], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    table, words = finished.stdout.split("\n\n")
    assert len(table.splitlines()) == 1 + 1 + 2 * 4
    assert words.startswith("TransformerEncoder has")

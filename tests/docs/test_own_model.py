"""docs/own_model.md does what it says: its blocks are run one after another, as they are pasted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "own_model.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_each_kind_of_model_is_recorded_in_five_lines() -> None:
    for block in BLOCKS[:3]:
        _, _, recording = block.partition("\nwith Recorder")
        assert len(recording.splitlines()) <= 5


def test_the_page_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rankelastor.spectrum.report.write.find_spec", lambda _: None)  # figures take seconds
    torch.manual_seed(0)
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "transformer has not collapsed" in printed
    assert "another is one model of one seed" in printed
    assert {path.parent.name for path in tmp_path.glob("reports/*/report.html")} == {"mlp", "cnn", "transformer"}

from __future__ import annotations

import pytest

from rankelastor.errors import SettingsError
from rankelastor.spectrum.runs.run_names import distinct_names


def test_a_run_given_twice_is_refused() -> None:
    with pytest.raises(SettingsError, match="runs/one was given twice"):
        distinct_names(["runs/two/../one", "runs/one"])


def test_one_run_is_called_by_its_folder() -> None:
    assert distinct_names(["runs/one"]) == ["one"]

"""TorchRec, which may be missing."""

from __future__ import annotations

import sys

import pytest

from rankelastor.errors import SettingsError
from rankelastor.sharding.torchrec_parts import torchrec_parts


def test_a_missing_engine_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fbgemm_gpu", None)
    torchrec_parts.cache_clear()
    wanted = (
        r"TorchRec must be installed .*; try pip install .*\[distributed\].* && pip install --no-deps torchrec==1.8.0"
    )
    with pytest.raises(SettingsError, match=wanted):
        torchrec_parts()

"""A damaged ORC file is a message, also where reading it ends a process."""

import base64
import subprocess
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import orc

from rankelastor.data.raw import orc_probe
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.rows import read_rows
from rankelastor.errors import DataError

ENDS_THE_PROCESS = (
    "c-qBLu}Z{15S`iGi{sv*VUc4=6;h>=!!p&8E40ys!_p=R5e~&h!2_Ga%F<8p2mFWo2Y<xE(!#kloL(-a;Lb8{=gllU=4I1~_Kc!D2W_+fFaye"
    "sN8k&);)YrRllzoMyBZ6FrF}u>_uMS4{*}W1nwvLsm3`;AG<)he%M7t7|2ER>vg0i85sI?<m#aPUe6ZvY?SVsKtwU*jhsxE+{UM{^zH&8h-_^"
    "3=Rl_SgXScuy&Y~*^^7!;zkM*~un`Umg_~T#OIFkOG4EhWg_7lU0IFCXa7>Pm#z3O^aT?OiPc2{$*>zfc_7(qm&)~}uB)hBImiyq~P6PRoWOxg"
    "mIwZNn;aQu9Bf@SaMkb_>47rj`hNWdUYN8aOyl-YD*zW^-@o3;"
)
"""80 rows of ``click``, ``site`` and the list ``seen`` with a few damaged bytes: pyarrow 25 ends with SIGSEGV."""


def test_a_file_that_ends_the_process_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.orc"
    file.write_bytes(zlib.decompress(base64.b85decode(ENDS_THE_PROCESS)))
    monkeypatch.setattr(orc_probe, "_READ_ALL", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(DataError, match=r"rows\.orc must be a readable ORC file, but reading it ends the process with"):
        list(read_rows(file, CsvSettings()))


@pytest.mark.slow
def test_the_reader_of_orc_still_needs_a_process_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "rows.orc"
    file.write_bytes(zlib.decompress(base64.b85decode(ENDS_THE_PROCESS)))
    with pytest.raises(DataError, match=r"rows\.orc must be a readable ORC file, but"):
        list(read_rows(file, CsvSettings()))


def test_a_file_is_probed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.orc"
    orc.write_table(pa.table({"x": [1, 2]}), file)
    assert sum(rows.num_rows for rows in read_rows(file, CsvSettings())) == 2
    monkeypatch.setattr(subprocess, "run", None)
    assert sum(rows.num_rows for rows in read_rows(file, CsvSettings())) == 2

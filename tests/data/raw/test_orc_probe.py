"""A damaged ORC file is a message, also where reading it ends a process."""

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
    "78dac551b14ac440109dd9dd8be3dea1619163491552a592c332d5912bb4d184c3d22609110ec546c1039bc3cad24ff007fc87fb077fc4c2"
    "d2c2b9359c5e2ea5e0ce326fe7cd2c3ce665d389f68ca23c076db4003003ca8d47e00bbbe2865a0293fb9447bb1a0b83a57d41e6f7dc2cad"
    "fe95c2fe9a9b3773957de7b9347bea38cb0cb128ff36d2ecb2e32cef118ab2fa97ab3df27cb0e410ed814361ad43697d87cad5c8fd21a3e0"
    "be72356fdfd5b2e155c32b3b67b7c007cea22b07f2f8f45c8ff5b7a59b666eb9f8e35fdb3892fe9b0cfa0c17f613c387388f421a18894206"
    "bdea7a565d05ea76765773aeeb9b1062184144a4d6af9de6d5276d708b1ee58913986c084cda0293b5c0a42d70fc7c768265efe890835e91"
    "17bd58a848c0204e47dee38794d97462bf002d0b9bb6"
)
"""Compressed by zlib: rows of two columns and a list with a few damaged bytes, at which pyarrow ends with SIGSEGV."""


def test_a_file_that_ends_the_process_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.orc"
    file.write_bytes(zlib.decompress(bytes.fromhex(ENDS_THE_PROCESS)))
    monkeypatch.setattr(orc_probe, "_READ_ALL", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(DataError, match=r"rows\.orc must be a readable ORC file, but reading it ends the process with"):
        list(read_rows(file, CsvSettings()))


@pytest.mark.slow
def test_the_reader_of_orc_still_needs_a_process_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "rows.orc"
    file.write_bytes(zlib.decompress(bytes.fromhex(ENDS_THE_PROCESS)))
    with pytest.raises(DataError, match=r"rows\.orc must be a readable ORC file, but"):
        list(read_rows(file, CsvSettings()))


def test_a_file_is_probed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.orc"
    orc.write_table(pa.table({"x": [1, 2]}), file)
    assert sum(rows.num_rows for rows in read_rows(file, CsvSettings())) == 2
    monkeypatch.setattr(subprocess, "run", None)
    assert sum(rows.num_rows for rows in read_rows(file, CsvSettings())) == 2

"""Read a foreign ORC file in a process of its own first: a damaged one may end the process that reads it.

The reader of ORC checks less than those of the other formats: of 3,000 damaged files one ended the process. Parquet and
Arrow files are not read twice, since damaged ones are messages in this process (docs/reliability.md).
"""

from __future__ import annotations

import subprocess
import sys

from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath, RemotePath, RemoteState

_READ_ALL = """\
import sys
from pyarrow import orc

file = orc.ORCFile(sys.argv[1])
for index in range(file.nstripes):
    file.read_stripe(index)
"""
_READ_ALL_OF_ADDRESS = """\
import sys
from pyarrow import fs, orc

system, path = fs.FileSystem.from_uri(sys.argv[1])
file = orc.ORCFile(system.open_input_file(path))
for index in range(file.nstripes):
    file.read_stripe(index)
"""
_found_readable: set[tuple[str, int, int, int]] = set()
"""Files that were read to their end, with inode, size and time of change, so that each is probed once in a process."""


def require_survivable(file: AnyPath) -> None:
    """Check that reading a file to its end does not end the process; what is an error there is one here, too.

    Raises:
        DataError: it does.
    """
    status = file.stat()
    inode = 0 if isinstance(status, RemoteState) else status.st_ino
    key = (str(file.absolute()), inode, status.st_size, status.st_mtime_ns)
    if key in _found_readable or not sys.executable:
        return
    command = [
        sys.executable,
        "-I",
        "-c",
        _READ_ALL_OF_ADDRESS if isinstance(file, RemotePath) else _READ_ALL,
        str(file.absolute()),
    ]
    probe = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    if probe.returncode < 0:
        raise DataError(
            f"{file} must be a readable ORC file, but reading it ends the process with signal {-probe.returncode}; it "
            "is damaged: restore it from a copy, or write it as Parquet"
        )
    _found_readable.add(key)

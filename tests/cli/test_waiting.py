"""The command line lets OpenMP's threads wait asleep, in its own process and not in that of a caller of the library."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("given", "found"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_threads_wait_asleep_unless_the_user_says_otherwise(given: dict[str, str], found: str) -> None:
    program = (
        "import os, sys; sys.argv = ['rankelastor', '--version']\n"
        "from rankelastor.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    )
    without = {name: value for name, value in os.environ.items() if name not in {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}}
    done = subprocess.run(
        [sys.executable, "-c", program], env=without | given, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-2:] == [found, "False"]

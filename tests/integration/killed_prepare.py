"""Run `prepare` in child processes that are killed; started by test_killed_prepare.py, controlled by standard input.

A child is a fork of this process, which has imported all modules and started no thread, so it begins to prepare at once
and the kill can occur at any point of the preparation.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from rankelastor.data.prepare import prepare
from rankelastor.data.settings import DataSettings


def main() -> None:
    settings = DataSettings.model_validate(json.loads(Path(sys.argv[1]).read_text()))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:  # the seconds until the kill
        child = os.fork()
        if not child:
            prepare(settings, force=True)
            os._exit(0)
        time.sleep(float(line))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{'killed' if os.WIFSIGNALED(status) else 'finished'}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

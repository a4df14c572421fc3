"""Run command lines one after the other in one process, as the command `rankelastor` does, since loading torch is slow.

Called with a JSON list of lists of arguments. A line ``=== INDEX EXIT_CODE`` follows what each of them prints.
"""

import json
import sys

from rankelastor.cli.main import main

if __name__ == "__main__":
    for index, arguments in enumerate(json.loads(sys.argv[1])):
        sys.argv[:] = ["rankelastor", *arguments]
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        for stream in (sys.stdout, sys.stderr):
            stream.write(f"\n=== {index} {code or 0}\n")
            stream.flush()

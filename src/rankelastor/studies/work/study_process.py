"""A process that carries out runs of a study: ``python -m rankelastor.studies.work.study_process``.

It serves orders (``ensembles/orders.py``), one after the other; a run that fails is told and ends nothing.
"""

from __future__ import annotations

import sys

from rankelastor.ensembles.orders import serve
from rankelastor.studies.work.one_run import serve_order

MODULE = "rankelastor.studies.work.study_process"


def main() -> int:
    """Carry out the orders from standard input, and return the exit code."""
    return serve(serve_order)


if __name__ == "__main__":
    sys.exit(main())

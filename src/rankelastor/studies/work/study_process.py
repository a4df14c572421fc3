"""A process that carries out runs and tunings of a study: ``python -m rankelastor.studies.work.study_process``.

It serves orders (``ensembles/orders.py``), one after the other; a run that fails is told and ends nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from rankelastor.ensembles.orders import serve
from rankelastor.studies.work.one_run import Order
from rankelastor.studies.work.one_tuning import TuningOrder
from rankelastor.training.interruption import Interruption

MODULE = "rankelastor.studies.work.study_process"


def main() -> int:
    """Carry out the orders from standard input, and return the exit code."""
    return serve(_carry_out)


def _carry_out(order: Mapping[str, Any], send: Callable[[Mapping[str, Any]], None], interruption: Interruption) -> None:
    work = TuningOrder.from_dict(order) if TuningOrder.is_one(order) else Order(**order)
    send({"event": "end", "outcome": work.carry_out(interruption)})


if __name__ == "__main__":
    sys.exit(main())

"""A process that trains members: ``python -m rankelastor.ensembles.member_process``.

An order is the recipe of a member and its run folder, see ``orders.py``. It carries them out one after the other, so
that what it imported is used again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rankelastor.ensembles.member_events import Event, EventSender
from rankelastor.ensembles.orders import serve
from rankelastor.recipes.recipe import Recipe
from rankelastor.spectrum.runs.observer import SpectrumObserver
from rankelastor.training.interruption import Interruption
from rankelastor.training.run import train


def train_member(
    recipe: Recipe, folder: Path, send: Callable[[Event], None], *, interruption: Interruption | None = None
) -> None:
    """Train one member in its run folder, or go on with it, and send its events.

    Raises:
        RankElastorError: the training failed.
    """
    observers = [EventSender(send), SpectrumObserver(recipe.spectrum, folder)]
    train(recipe, folder=folder, observers=observers, interruption=interruption)
    send({"event": "end"})


def main() -> int:
    """Carry out the orders from standard input, and return the exit code."""

    def carry_out(order: Mapping[str, Any], send: Callable[[Event], None], interruption: Interruption) -> None:
        train_member(Recipe.model_validate(order["recipe"]), Path(order["folder"]), send, interruption=interruption)

    return serve(carry_out)


if __name__ == "__main__":
    sys.exit(main())

"""What the training of a member tells: plain values, which cross from its process to the one that waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from rankelastor.models.ranker import Ranker
from rankelastor.training.observers import Evaluation, SilentObserver, Step

Event = Mapping[str, Any]
_EVERY_SECONDS = 0.5


class MemberListener(Protocol):
    """Receives the progress of members, which may be trained side by side."""

    def on_start(self, member: str, *, num_epochs: int, num_examples: int) -> None:
        """Observe the start of a member's training, with ``num_examples`` per epoch."""

    def on_examples(self, member: str, *, count: int, loss: float) -> None:
        """Observe that a member has learned from ``count`` more examples; ``loss`` is that of the last step."""

    def on_evaluation(self, member: str, evaluation: Evaluation) -> None:
        """Observe an evaluation of the valid split."""

    def on_end(self, member: str) -> None:
        """Observe the end of a member's training."""


class SilentListener:
    """A listener that does nothing."""

    def on_start(self, member: str, *, num_epochs: int, num_examples: int) -> None:
        """Do nothing."""

    def on_examples(self, member: str, *, count: int, loss: float) -> None:
        """Do nothing."""

    def on_evaluation(self, member: str, evaluation: Evaluation) -> None:
        """Do nothing."""

    def on_end(self, member: str) -> None:
        """Do nothing."""


class EventSender(SilentObserver):
    """An observer of a training that turns it into events, with one on examples twice a second.

    Args:
        send: receives the events.
    """

    def __init__(self, send: Callable[[Event], None]) -> None:
        self._send = send
        self._pending = 0
        self._last = time.monotonic()

    def on_start(self, ranker: Ranker, *, num_epochs: int, num_examples: int) -> None:
        """Tell the number of epochs and examples."""
        del ranker
        self._send({"event": "start", "num_epochs": num_epochs, "num_examples": num_examples})

    def on_step(self, step: Step) -> None:
        """Tell the number of examples, if the last time was long ago."""
        self._pending += step.num_examples
        if time.monotonic() - self._last >= _EVERY_SECONDS:
            self._send({"event": "examples", "count": self._pending, "loss": step.loss.item()})
            self._pending, self._last = 0, time.monotonic()

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Tell the evaluation."""
        self._send({"event": "evaluation", "evaluation": asdict(evaluation)})


def hand_over(event: Event, member: str, listeners: tuple[MemberListener, ...]) -> None:
    """Call the method of each listener that an event is for; other events are ignored."""
    for listener in listeners:
        match event["event"]:
            case "start":
                listener.on_start(member, num_epochs=event["num_epochs"], num_examples=event["num_examples"])
            case "examples":
                listener.on_examples(member, count=event["count"], loss=event["loss"])
            case "evaluation":
                listener.on_evaluation(member, Evaluation(**event["evaluation"]))
            case "end":
                listener.on_end(member)

"""Requests to stop that all processes follow after the same step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rankelastor.training.interruption import Interruption


class SharedInterruption(Interruption):
    """A request to stop, in a training by several processes.

    A process that stops by itself would leave the others waiting. So a request in any of them travels with the
    gradients of the next step, and all stop after that step, also those that were asked nothing. Before the first step
    it is raised at once.

    Example:
        >>> interruption = SharedInterruption()
        >>> with interruption.whole():
        ...     interruption.hear(0.0)
        ...     interruption.request(SystemExit("stopped"))
        >>> with interruption.whole():
        ...     interruption.hear(1.0)
        Traceback (most recent call last):
        SystemExit: stopped
    """

    def __init__(self) -> None:
        super().__init__()
        self._wanted: BaseException | None = None
        self._is_agreed = False
        self._has_begun = False

    @property
    def is_wanted(self) -> bool:
        """Whether this process was asked to stop."""
        return self._wanted is not None

    @property
    def is_agreed(self) -> bool:
        """Whether all processes have heard that they stop after the present step."""
        return self._is_agreed

    def request(self, error: BaseException) -> None:
        """Raise ``error`` after the step in which all processes hear of it."""
        if not self._has_begun:
            raise error
        self._wanted = error

    def hear(self, votes: float) -> None:
        """Take note of how many processes were asked to stop, which all of them hear in the same step."""
        self._is_agreed = self._is_agreed or votes > 0

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Raise what was requested at the end of the context, if all processes have heard of it."""
        self._has_begun = self.is_inside = True
        yield
        self.is_inside = False
        if self._is_agreed:
            raise self._wanted or KeyboardInterrupt

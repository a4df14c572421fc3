"""Requests to stop that wait until a step is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Interruption:
    """A request to stop, such as Ctrl-C, that may come at any moment of one training.

    Within a step it waits for the end of the step, so that the state can be saved; elsewhere it is raised at once, and
    once more before the next step if it went nowhere, as errors do while Python takes an object apart. A program that
    handles signals itself hands one to ``train`` and calls ``request`` in its handler.

    Example:
        >>> interruption = Interruption()
        >>> with interruption.whole():
        ...     interruption.request(SystemExit("stopped"))
        ...     weight = 1  # the step goes on to its end
        Traceback (most recent call last):
        SystemExit: stopped
    """

    def __init__(self) -> None:
        self.is_inside = False
        """Whether a step has begun and not ended, which is also so after an error within it."""
        self._requested: BaseException | None = None

    def request(self, error: BaseException) -> None:
        """Raise ``error`` now, or at the end of the step that is being taken."""
        self._requested = error
        if not self.is_inside:
            raise error

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Let requests wait within the context, unless it raises an error itself."""
        self._raise_requested()
        self.is_inside = True
        yield
        self.is_inside = False
        self._raise_requested()

    def _raise_requested(self) -> None:
        requested, self._requested = self._requested, None
        if requested is not None:
            raise requested

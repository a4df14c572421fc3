"""The places of rows that wait: what would have to wait too long is refused at once, before it is read."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rankelastor.service.limits import Limits
from rankelastor.service.refusals import Refusal

_ROWS_THAT_TELL = 256
"""Batches of fewer rows do not tell how long a row takes in a full one."""
_SHARE_OF_NEW = 0.3


class Queue:
    """Counts the requests that are read, wait or are scored, and their rows.

    Args:
        limits: how many requests and rows may wait, and how long.

    Example:
        >>> queue = Queue(Limits(queue_rows=100))
        >>> with queue.place(2000) as place:
        ...     place.holds(80)  # what the body of 2000 bytes held
        ...     queue.num_rows
        80
        >>> with queue.place(1000):  # expected to hold half as many
        ...     queue.num_rows
        40
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rows_per_byte = 0.0
        self._seconds_per_row = 0.0
        self._num_places = 0
        self.num_rows = 0
        self.num_bytes = 0

    def place(self, num_bytes: int) -> Place:
        """Take a place for a request by the bytes of its body, for as many rows as others of that size held.

        Raises:
            Refusal: too many requests or rows wait, or they would have to wait too long.
        """
        if self._num_places >= self._limits.queue_requests:
            raise Refusal(
                429,
                f"the queue holds at most {self._limits.queue_requests} requests, and is full; try again later",
                wait_seconds=self.num_rows * self._seconds_per_row,
            )
        place = Place(self)
        place.holds(max(1, round(num_bytes * self._rows_per_byte)))
        place.num_bytes = num_bytes
        self._num_places += 1
        return place

    def receive(self, num_bytes: int) -> None:
        """Count bytes of a body that have arrived; a queue that holds none takes any.

        Raises:
            Refusal: the bodies that are held have too many bytes.
        """
        if self.num_bytes and self.num_bytes + num_bytes > self._limits.queue_bytes:
            raise Refusal(
                429,
                f"the queue holds {self.num_bytes:,} of at most {self._limits.queue_bytes:,} bytes; try again later",
                wait_seconds=self.num_rows * self._seconds_per_row,
            )
        self.num_bytes += num_bytes

    def leave(self, num_rows: int, num_bytes: int) -> None:
        """Give back the place of a request, and the rows and bytes that it held."""
        self.num_rows -= num_rows
        self.num_bytes -= num_bytes
        self._num_places -= 1

    def scored(self, num_rows: int, seconds: float) -> None:
        """Note how long a batch took, by which the wait of others is judged."""
        if num_rows >= min(_ROWS_THAT_TELL, self._limits.batch_rows):
            self._seconds_per_row = _mean(self._seconds_per_row, seconds / num_rows)

    def change(self, before: int, after: int, num_bytes: int) -> None:
        """Count ``after`` rows of a request instead of ``before``; a queue that is empty takes any request.

        Raises:
            Refusal: too many rows wait, or they would have to wait too long.
        """
        if num_bytes:
            self._rows_per_byte = _mean(self._rows_per_byte, after / num_bytes)
        others = self.num_rows - before
        if others and after > before:
            self._require_room(others, after)
        self.num_rows = others + after

    def _require_room(self, others: int, rows: int) -> None:
        limits, seconds = self._limits, (others + rows) * self._seconds_per_row
        if others + rows > limits.queue_rows:
            raise Refusal(
                429,
                f"the queue holds {others} of at most {limits.queue_rows} rows, and this request has about {rows}; "
                "try again later",
                wait_seconds=others * self._seconds_per_row,
            )
        if seconds > limits.seconds:
            raise Refusal(
                503,
                f"the scores must be there within {limits.seconds:g} s, but would take about {seconds:.1f} s; try "
                "again later",
                wait_seconds=seconds - limits.seconds,
            )


class Place:
    """A place of one request; leaving it gives its rows back."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._rows = 0
        self._received = 0
        self.num_bytes = 0

    def holds(self, num_rows: int) -> None:
        """Say how many rows the request really has.

        Raises:
            Refusal: they are more than expected, and too many.
        """
        self._queue.change(self._rows, num_rows, self.num_bytes)
        self._rows = num_rows

    def computes(self, num_rows: int) -> None:
        """Say how many rows are scored for the request, where these are more than its body holds.

        Raises:
            Refusal: they are too many.
        """
        self._queue.change(self._rows, num_rows, 0)
        self._rows = num_rows

    def receives(self, num_bytes: int) -> None:
        """Say how many more bytes of the body have arrived.

        Raises:
            Refusal: the bodies that are held have too many bytes.
        """
        self._queue.receive(num_bytes)
        self._received += num_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._queue.leave(self._rows, self._received)


def _mean(old: float, new: float) -> float:
    return new if not old else old + _SHARE_OF_NEW * (new - old)

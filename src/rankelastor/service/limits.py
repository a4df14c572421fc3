"""The limits of a service: beyond them it answers at once with 413, 429 or 503."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rankelastor.errors import SettingsError


@dataclass(frozen=True)
class Limits:
    """Limits of requests and of the queue.

    Attributes:
        body_bytes: largest body of a request; more is answered by 413.
        rows: most rows of a request; more is answered by 413.
        candidates: most candidates of a request; more is answered by 413.
        queue_rows: most rows that wait or are scored; a request that would exceed it is answered by 429.
        queue_requests: most requests that are read, wait or are scored; one more is answered by 429.
        queue_bytes: most bytes of bodies that are held while they are read, wait or are scored; beyond it 429.
        batch_rows: most rows that are scored at a time.
        batch_wait_ms: how long a batch waits for further requests while there are others on their way, in milliseconds.
        seconds: how long a request may wait for its scores, beyond which it is answered by 503; and how long its body
            may take to arrive, beyond which it is answered by 408.
    """

    body_bytes: int = 8 << 20
    rows: int = 10_000
    candidates: int = 10_000
    queue_rows: int = 20_000
    queue_requests: int = 512
    queue_bytes: int = 256 << 20
    batch_rows: int = 4096
    batch_wait_ms: float = 2.0
    seconds: float = 10.0

    def __post_init__(self) -> None:
        for name, value in self.as_dict().items():
            if value < 0 or (value == 0 and name != "batch_wait_ms"):
                raise SettingsError(f"{name} of a service must be above 0, but {value} was given; leave it out")

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return asdict(self)

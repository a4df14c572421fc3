"""Requests that are refused, each with its status and a sentence."""

from __future__ import annotations

import math

_WAIT = frozenset({429, 503})
_UNAUTHORISED = 401
_TIMEOUT = 408


class Refusal(Exception):  # noqa: N818 - an answer, not a mistake of this program
    """A request that is answered by an error.

    Args:
        status: the HTTP status: 401, 405, 408, 413, 421, 422, 429 or 503.
        message: what must hold, and what was given.
        wait_seconds: for 429 and 503, after how long another try makes sense; it is told in whole seconds, 1 at least.
    """

    def __init__(self, status: int, message: str, *, wait_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self._wait_seconds = wait_seconds

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer: when to try again, how to say who one is, or that the rest is not waited for."""
        if self.status in _WAIT:
            return {"Retry-After": str(max(1, math.ceil(self._wait_seconds)))}
        if self.status == _TIMEOUT:
            return {"Connection": "close"}
        return {"WWW-Authenticate": "Bearer"} if self.status == _UNAUTHORISED else {}

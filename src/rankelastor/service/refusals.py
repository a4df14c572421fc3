"""Requests that are refused, each with its status and a sentence."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer, not a mistake of this program
    """A request that is answered by an error.

    Args:
        status: the HTTP status: 401, 413, 422, 429 or 503.
        message: what must hold, and what was given.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer: when to try again, or how to say who one is."""
        if self.status in {429, 503}:
            return {"Retry-After": "1"}
        return {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}  # noqa: PLR2004 - unauthorised

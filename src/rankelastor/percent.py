"""Write a share as a percentage, in one way everywhere: a number, a space, the sign."""

from __future__ import annotations

SMALL_SHARE = 0.1


def percent(share: float, *, digits: int | None = None, signed: bool = False) -> str:
    """Format a share, 0 .. 1, as in "40 %".

    Args:
        share: the share.
        digits: digits after the point; None writes one below 10 % and none from there on, as the report's page does.
        signed: whether to write the sign of a positive share, too: for changes.

    Example:
        >>> percent(0.4), percent(0.026), percent(0.4, digits=1), percent(0.2, signed=True)
        ('40 %', '2.6 %', '40.0 %', '+20 %')
    """
    if digits is None:
        digits = 1 if abs(share) < SMALL_SHARE else 0
    return f"{100 * share:{'+' if signed else ''}.{digits}f} %"

"""An alarm, and how it is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

_logger = logging.getLogger("rankelastor.alarms")


@dataclass(frozen=True)
class Alarm:
    """Something that is likely wrong, and what to try.

    Attributes:
        rule: name of the rule in ``alarms/table.py`` that gave it.
        about: the fields, tasks or splits concerned.
        message: one sentence with the figures, and what to try.
        loud: whether the result can hardly be right; it is logged as an error, though nothing is stopped.
    """

    rule: str
    about: tuple[str, ...]
    message: str
    loud: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON.

        Example:
            >>> Alarm("nothing_learned", ("valid",), "all probabilities are equal").as_dict()["about"]
            ['valid']
        """
        return asdict(self) | {"about": list(self.about)}


def log_alarms(alarms: Iterable[Alarm]) -> None:
    """Log each alarm as a warning, loud ones as errors."""
    for alarm in alarms:
        _logger.log(logging.ERROR if alarm.loud else logging.WARNING, "%s", alarm.message)

"""Notes on an import: settings without equal, settings that FuxiCTR ignores, settings with another meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from rankelastor.errors import SettingsError

Number = TypeVar("Number", int, float)
Outcome = Literal["cannot work", "no equal", "ignored by FuxiCTR", "differs"]

OUTCOMES: dict[Outcome, str] = {
    "cannot work": "settings that cannot work with these data",
    "no equal": "settings that have no equal here",
    "ignored by FuxiCTR": "settings that FuxiCTR accepts and ignores",
    "differs": "settings that mean something else here",
}
"""The verdicts in the order of display, with their headings."""


@dataclass(frozen=True)
class Note:
    """A note on one setting of FuxiCTR: its value, the outcome of the import, and an explanation."""

    outcome: Outcome
    setting: str
    value: Any
    text: str


@dataclass
class FuxiCtrSettings:
    """Settings of FuxiCTR under one path, with a record of the keys that were read, and the notes."""

    values: Mapping[str, Any]
    path: str = ""
    notes: list[Note] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def take(self, key: str, default: Any = None) -> Any:
        """Return the value of a setting, or the default if it is missing or null."""
        self._seen.add(key)
        value = self.values.get(key)
        return default if value is None else value

    def whole(self, key: str, default: int) -> int:
        """Read a setting that must be a whole number.

        Raises:
            SettingsError: it is not.
        """
        return self._number(key, default, int, "a whole number")

    def real(self, key: str, default: float) -> float:
        """Read a setting that must be a number.

        Raises:
            SettingsError: it is not.
        """
        return self._number(key, default, float, "a number")

    def _number(self, key: str, default: Number, kind: Callable[[Any], Number], words: str) -> Number:
        value = self.take(key, default)
        try:
            return kind(value)
        except (TypeError, ValueError, OverflowError):
            raise SettingsError(
                f"{self.path}{key} must be {words}, but {value!r} was given; correct it, or leave it out for {default}"
            ) from None

    def inner(self, key: str) -> FuxiCtrSettings:
        """Return the settings under a key, with the same list of notes."""
        values = self.take(key, {})
        return FuxiCtrSettings(values if isinstance(values, Mapping) else {}, f"{self.path}{key}.", self.notes)

    def note(self, outcome: Outcome, key: str, text: str) -> None:
        """Add a note on a setting."""
        self._seen.add(key)
        self.notes.append(Note(outcome, f"{self.path}{key}", self.values.get(key), text))

    def note_all(self, outcome: Outcome, texts: Mapping[str, str]) -> None:
        """Add a note on each of these settings that is given."""
        for key, text in texts.items():
            if self.take(key) is not None:
                self.note(outcome, key, text)

    def note_rest(self, outcome: Outcome, text: str) -> None:
        """Add a note on every setting that was not read."""
        for key, value in self.values.items():
            if key not in self._seen and value is not None:
                self.note(outcome, str(key), text)

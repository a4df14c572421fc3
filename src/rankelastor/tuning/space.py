"""The settings that a tuning draws, and from what: read from YAML, and checked against a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rankelastor.errors import SettingsError
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.recipes.yaml_text import parse_yaml, read_yaml_text
from rankelastor.suggestions import what_lies_near
from rankelastor.tuning.draws import Draw

_ROOMS = ("model", "training")
_FIXED = {
    "training.seed": "all trials have the seed of the recipe, since a lucky seed is no better setting",
    "training.monitor": "trials are compared by it",
    "training.stopping.monitor": "trials are compared by it",
}


@dataclass(frozen=True)
class Space:
    """The draws of a tuning by name: the path of a setting, or several with commas between, which get one value.

    ``source`` names the space in messages.

    Example:
        >>> space = Space.of({"model.tokenizer.dropout, model.ffn.dropout": {"between": [0, 0.5]}})
        >>> space.overrides({"model.tokenizer.dropout, model.ffn.dropout": 0.1})
        {'model.tokenizer.dropout': 0.1, 'model.ffn.dropout': 0.1}
    """

    draws: Mapping[str, Draw]
    source: str = "space"

    @classmethod
    def of(cls, values: Any, *, source: str = "space") -> Space:
        """Read a space from plain values.

        Raises:
            SettingsError: it is empty, a setting stands in it twice or may not be tuned, or a draw is wrong.
        """
        if not isinstance(values, Mapping) or not values:
            raise SettingsError(
                f"{source} must map settings to draws, but {'nothing' if not values else type(values).__name__} was "
                "given; try `training.learning_rate: {log: [1e-4, 1e-2]}`"
            )
        draws = {str(name): Draw.parse(f"{source}: {name}", given) for name, given in values.items()}
        paths = [path for name in draws for path in paths_of(name)]
        for path in paths:
            _check_path(path, paths, source)
        return cls(draws, source)

    @classmethod
    def read(cls, file: str | Path) -> Space:
        """Read a space from a YAML file.

        Raises:
            SettingsError: the file is missing or no YAML, or the space is wrong.
        """
        path = Path(file)
        try:
            text = read_yaml_text(path)
        except OSError as error:
            what = what_lies_near(path) if isinstance(error, FileNotFoundError) else str(error)
            raise SettingsError(f"a space must be a readable YAML file, but {path} is not; {what}") from None
        return cls.of(parse_yaml(text, source=str(path)), source=str(path))

    def check(self, recipe: Recipe) -> None:
        """Check that the recipe has each setting and takes both ends of each range and each value of a list.

        Raises:
            SettingsError: a setting is unknown to the recipe's model, or a value is not allowed.
        """
        for name, draw in self.draws.items():
            for value in draw.values:
                try:
                    with_overrides(recipe, dict.fromkeys(paths_of(name), value))
                except SettingsError as error:
                    reason = str(error).removeprefix("settings: ")
                    raise SettingsError(
                        f"{self.source}: {name} must be drawn from what the recipe takes, but {value!r} does not fit: "
                        f"{reason}"
                    ) from None

    def overrides(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Give the drawn values to the paths of the settings."""
        return {path: value for name, value in drawn.items() for path in paths_of(name)}

    def as_dict(self) -> dict[str, Any]:
        """Write the space as plain values."""
        return {name: draw.as_dict() for name, draw in self.draws.items()}

    def as_yaml(self) -> str:
        """Write the space as YAML, one setting a line."""
        lines = (
            f"{name}: {yaml.safe_dump(draw.as_dict(), default_flow_style=True, width=1000).strip()}"
            for name, draw in self.draws.items()
        )
        return "\n".join(lines) + "\n"


def paths_of(name: str) -> tuple[str, ...]:
    """List the settings that a draw gives its value to."""
    return tuple(path.strip() for path in name.split(","))


def _check_path(path: str, paths: list[str], source: str) -> None:
    if paths.count(path) > 1:
        raise SettingsError(f"{source}: {path} must be drawn once, but stands there twice; remove one")
    if path in _FIXED:
        raise SettingsError(f"{source}: {path} must not be drawn: {_FIXED[path]}; remove it")
    if path.partition(".")[0] not in _ROOMS or "." not in path:
        raise SettingsError(
            f"{source}: {path or 'a setting'} must be a setting of model or training, such as "
            "training.learning_rate; other settings change the data, which are prepared once for all trials"
        )

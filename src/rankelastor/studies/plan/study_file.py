"""Read a study file: YAML, validated in full, with the recipes that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rankelastor.config.explain import explain_validation_error
from rankelastor.errors import SettingsError
from rankelastor.places import in_full
from rankelastor.recipes.yaml_text import parse_yaml, read_yaml_text
from rankelastor.studies.plan.settings import StudySettings
from rankelastor.suggestions import what_lies_near


@dataclass(frozen=True)
class Study:
    """A study as it was read.

    Attributes:
        settings: its settings.
        folder: the folder from which its paths start.
        source: its name in messages.
    """

    settings: StudySettings
    folder: Path
    source: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name


def read_study(study: str | Path | Mapping[str, Any]) -> Study:
    """Read a study from YAML, or take it as plain values, whose paths start from the current folder.

    Example:
        >>> read_study({"name": "tiny", "recipes": {"mlp": "mlp.yaml"}, "seeds": 2}).settings.seeds
        (1, 2)

    Raises:
        SettingsError: the file is missing or no YAML, or a setting is wrong.
    """
    if isinstance(study, Mapping):
        return Study(_validated(study, source="study"), Path(), "study")
    path = Path(study)
    try:
        text = read_yaml_text(path)
    except FileNotFoundError:
        place = Path(in_full(path))
        raise SettingsError(
            f"a study must be a YAML file, but {place} does not exist; {what_lies_near(place)}"
        ) from None
    except OSError as error:
        raise SettingsError(f"a study must be a readable YAML file, but {path} is not: {error}") from None
    values = parse_yaml(text, source=str(path))
    if not isinstance(values, Mapping):
        raise SettingsError(f"{path} must hold settings as `key: value`, but holds {type(values).__name__}")
    return Study(_validated(values, source=str(path)), path.parent, str(path))


def _validated(values: Mapping[str, Any], *, source: str) -> StudySettings:
    try:
        return StudySettings.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError(explain_validation_error(error, StudySettings, source=source)) from None

"""The ledger of published figures, which reports set beside own results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from rankelastor.config.base import Settings
from rankelastor.config.explain import explain_validation_error
from rankelastor.errors import SettingsError
from rankelastor.recipes.yaml_text import parse_yaml, read_yaml_text


class PublishedEntry(Settings):
    """One published table."""

    name: str = Field(description="Name of the entry, which a study gives in `paper`.")
    source: str = Field(description="Where the figures stand.")
    data: str = Field(description="The data, and how they differ from those that are at hand.")
    protocol: str = Field(description="What the figures are: metrics, number of runs, what chose the weights.")
    figures: Mapping[str, Mapping[str, float]] = Field(description="Metrics of the test split by model.")


class Ledger(Settings):
    """All published tables."""

    format_version: Literal[1] = Field(description="Version of the ledger.")
    entries: tuple[PublishedEntry, ...] = Field(description="The tables.")

    def entry(self, name: str) -> PublishedEntry:
        """Find a table by its name.

        Raises:
            SettingsError: the ledger has none of this name.
        """
        found = {entry.name: entry for entry in self.entries}
        if name not in found:
            raise SettingsError(f"paper must name an entry of the ledger ({', '.join(found)}), but {name!r} was given")
        return found[name]


def read_ledger(path: str | Path) -> Ledger:
    """Read a ledger.

    Raises:
        SettingsError: the file is missing or no YAML, or an entry is wrong.
    """
    try:
        values = parse_yaml(read_yaml_text(Path(path)), source=str(path))
    except OSError as error:
        raise SettingsError(f"a ledger must be a readable YAML file, but {path} is not: {error}") from None
    try:
        return Ledger.model_validate(values)
    except ValidationError as error:
        raise SettingsError(explain_validation_error(error, Ledger, source=str(path))) from None

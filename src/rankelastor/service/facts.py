"""What a service tells of its model: its description and card, frequent values of its fields, and example rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from rankelastor.bundles.card import card_text
from rankelastor.bundles.findings import Findings
from rankelastor.data.cells.lists import JSON
from rankelastor.data.kinds.spec import FeatureSpec
from rankelastor.data.raw.rows import RawRows, read_rows
from rankelastor.runs.bundle_file.index import CARD_FILE, BundleIndex
from rankelastor.runs.load import LoadedRun
from rankelastor.runs.run_folder import RunFolder

_FREQUENT = 30


class ModelFacts:
    """What is known of a run or a bundle, beside its weights; it is read at once, and no file of it afterwards.

    Args:
        run: the loaded run.
    """

    def __init__(self, run: LoadedRun) -> None:
        self.run = run
        self.examples = self._examples()
        """The example rows of the bundle; None if it has none."""
        self._card = self._card_text()

    @cached_property
    def fields(self) -> dict[str, Any]:
        """What ``/v1/fields`` answers: the columns, their most frequent values, and a row to begin with."""
        return self._named | {
            "values": self.frequent_values,
            "example": json.loads(json.dumps((self.example_rows or [self._made_row])[0], default=str)),
        }

    @cached_property
    def description(self) -> dict[str, Any]:
        """What ``/v1/model`` answers: the model, its columns, and its card."""
        run = self.run
        return self._named | {
            "members": len(run.members),
            "source": run.source.name,
            "dense_parameters": run.ranker.num_dense_parameters,
            "card": self._card,
        }

    @property
    def _named(self) -> dict[str, Any]:
        run = self.run
        return {
            "name": run.recipe.name,
            "model": run.recipe.model.kind,
            "tasks": list(run.encoder.schema.tasks),
            "columns": list(run.encoder.columns),
        }

    @cached_property
    def frequent_values(self) -> dict[str, list[str]]:
        """The most frequent values, or elements of lists, of each column that has a vocabulary of such, by frequency.

        The vocabularies of pairs, and of parts of times, hold no values of a column.
        """
        found: dict[str, list[str]] = {}
        if self.run.encoder.manifest.vocabulary_salt is not None:
            return found
        for spec in self.run.encoder.manifest.features:
            if spec.keeps_cells and spec.list_separator != JSON and not spec.is_served:
                values = self.run.encoder.vocabularies[spec.name].values
                found.setdefault(spec.column, values.head(_FREQUENT).to_list())
        return found

    @property
    def _made_row(self) -> dict[str, Any]:
        """A valid row of frequent values, zeros and blanks, to begin with where there are no example rows."""
        specs: dict[str, list[FeatureSpec]] = {column: [] for column in self.run.encoder.columns}
        for spec in self.run.encoder.manifest.features:
            if spec.column in specs:
                specs[spec.column].append(spec)
        return {column: self._made_value(column, each) for column, each in specs.items()}

    def _made_value(self, column: str, specs: Sequence[FeatureSpec]) -> Any:
        values = self.frequent_values.get(column, [])[:1]
        for spec in specs:
            if spec.reads == "list" and spec.list_separator in {None, JSON}:
                return values if spec.list_separator is None else json.dumps(values)
        are_numbers = bool(specs) and all(spec.reads == "number" for spec in specs)
        return values[0] if values else 0 if are_numbers else None

    @cached_property
    def example_rows(self) -> list[dict[str, Any]]:
        """Some example rows of the bundle; empty if it has none."""
        return [] if self.examples is None else self.examples.table.slice(0, 5).to_pylist()

    def _examples(self) -> RawRows | None:
        bundle = self.run.bundle
        path = None if bundle is None else bundle.example_rows
        return None if path is None else next(iter(read_rows(path, self.run.encoder.csv)), None)

    def _card_text(self) -> str:
        if self.run.bundle is not None:
            return (self.run.bundle.folder / CARD_FILE).read_text(encoding="utf-8")
        if not RunFolder(self.run.folder).has_result:
            return ""
        index = BundleIndex(self.run.recipe.name, self.run.recipe.model.kind, "", 0, False, {})  # noqa: FBT003
        return card_text(self.run, index, Findings("test", reason="this is a run folder"), sampled_negatives=None)

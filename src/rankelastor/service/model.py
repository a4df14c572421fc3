"""A run that a service has loaded: it encodes, scores, ranks and explains rows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from rankelastor.bundles.card import card_text
from rankelastor.bundles.findings import Findings
from rankelastor.data.encoded_rows import EncodedRows
from rankelastor.data.kinds.cells import Numbering
from rankelastor.data.raw.rows import RawRows, read_rows
from rankelastor.evaluation.row_scorer import RowScorer
from rankelastor.explanations.columns import column_places
from rankelastor.explanations.contributions import Contribution, contributions, logits_of
from rankelastor.runs.bundle_file.index import CARD_FILE, BundleIndex
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.schema import Batch
from rankelastor.service.columns import raw_rows
from rankelastor.service.refusals import Refusal
from rankelastor.service.request_types import RequestTypes, Row

_MOST_BACKGROUND = 32
_FREQUENT = 30


@dataclass(frozen=True)
class Encoded:
    """The rows of one request as a batch, and which of their fields hold unseen values."""

    batch: Batch
    unseen: list[list[str]] | None = None


class ServedModel:
    """A loaded run or bundle. One thread at a time scores.

    Args:
        place: the run folder or the bundle.
    """

    def __init__(self, place: Path) -> None:
        self.run: LoadedRun = load_run(place)
        self.requests = RequestTypes(self.run.encoder)
        self._scorer = RowScorer(self.run)
        self._lock = threading.Lock()
        self._unknown = {
            index: feature.num_ids - 1
            for index, feature in enumerate(self.run.encoder.schema.categorical)
            if feature.name in self.run.encoder.vocabularies and feature.serving_id is None
        }

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return self.run.encoder.schema.tasks

    def encode(self, rows: Sequence[Row], *, name_unseen: bool = False) -> Encoded:
        """Encode rows; every one has all columns.

        Raises:
            DataError: a cell is wrong.
            Refusal: there are no rows, or a text is no UTF-8.
        """
        if not rows:
            raise Refusal(422, "a request must hold rows, but holds none")
        present = list(self.requests.columns)
        served = [name for name in rows[0] if name not in present and name in self._served]
        batch = self.run.encoder.encode(raw_rows(rows, [*present, *served]))
        return Encoded(batch, self._unseen(batch) if name_unseen else None)

    def encode_candidates(self, context: Row, candidates: Sequence[Row], *, name_unseen: bool = False) -> Encoded:
        """Encode one context with many candidates; what reads the context alone is encoded once.

        Raises:
            DataError: a cell is wrong.
            Refusal: a column stands in neither, or in both.
        """
        if not candidates:
            raise Refusal(422, "a request must hold candidates, but holds none")
        of_each = self._candidate_columns(context, candidates)
        once = raw_rows([context], [name for name in context if name in self._known])
        each = raw_rows(candidates, of_each)
        batch = self._joined(once, each)
        return Encoded(batch, self._unseen(batch) if name_unseen else None)

    def score(self, batch: Batch) -> Float64[ndarray, "row task"]:
        """Compute the probabilities of a batch."""
        with self._lock:
            return self._scorer.score(batch)

    def explain(self, row: Row, *, task: int = 0) -> tuple[Contribution, ...]:
        """Compute what each column contributed to the logit of a row, see ``contributions``."""
        encoded = self.encode([row]).batch
        places = column_places(self.run.encoder)
        return contributions(lambda batch: logits_of(self.score(batch)), encoded, self._background, places, task=task)

    def close(self) -> None:
        """Stop the threads."""
        self._scorer.close()

    @cached_property
    def description(self) -> dict[str, Any]:
        """What ``/v1/model`` answers: the model, its columns, and its card."""
        run = self.run
        return {
            "name": run.recipe.name,
            "model": run.recipe.model.kind,
            "members": len(run.members),
            "tasks": list(self.tasks),
            "columns": list(self.requests.columns),
            "source": run.source.name,
            "dense_parameters": run.ranker.num_dense_parameters,
            "card": self._card,
        }

    @cached_property
    def frequent_values(self) -> dict[str, list[str]]:
        """The most frequent values of each column that has a vocabulary of plain values, most frequent first."""
        if self.run.encoder.manifest.vocabulary_salt is not None:
            return {}
        return {
            spec.column: self.run.encoder.vocabularies[spec.name].values.head(_FREQUENT).to_list()
            for spec in self.run.encoder.manifest.features
            if spec.name in self.run.encoder.vocabularies and not spec.is_served
        }

    @cached_property
    def example_rows(self) -> list[dict[str, Any]]:
        """Some example rows of the bundle; empty if it has none."""
        return [] if self._examples is None else self._examples.table.slice(0, 5).to_pylist()

    @cached_property
    def _examples(self) -> RawRows | None:
        bundle = self.run.bundle
        path = None if bundle is None else bundle.example_rows
        return None if path is None else next(iter(read_rows(path, self.run.encoder.csv)), None)

    @cached_property
    def _background(self) -> Batch:
        """Rows whose values take the place of a row's: example rows, or one of unseen values and zeros."""
        if self._examples is not None:
            return next(self.run.encoder.encode(self._examples).split(_MOST_BACKGROUND))
        schema = self.run.encoder.schema
        unknown = [feature.num_ids - 1 for feature in schema.categorical]
        return Batch(
            categorical=torch.tensor([unknown], dtype=torch.int32).reshape(1, -1),
            numeric=torch.zeros(1, len(schema.numeric)),
            labels=None,
            group=None,
            sequence=torch.zeros(1, schema.num_positions, dtype=torch.int32) if schema.sequence else None,
        )

    @cached_property
    def _card(self) -> str:
        if self.run.bundle is not None:
            return (self.run.bundle.folder / CARD_FILE).read_text(encoding="utf-8")
        if not RunFolder(self.run.folder).has_result:
            return ""
        index = BundleIndex(self.run.recipe.name, self.run.recipe.model.kind, "", 0, False, {})  # noqa: FBT003
        return card_text(self.run, index, Findings("test", reason="this is a run folder"), sampled_negatives=None)

    @cached_property
    def _served(self) -> frozenset[str]:
        return frozenset(spec.column for spec in self.run.encoder.manifest.features if spec.is_served)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.requests.columns) | self._served

    def _candidate_columns(self, context: Row, candidates: Sequence[Row]) -> list[str]:
        of_each = [name for name in self.requests.columns if name not in context]
        for index, candidate in enumerate(candidates):
            missing = next((name for name in of_each if name not in candidate), None)
            if missing is not None:
                raise Refusal(422, f"candidates.{index}.{missing}: a field must stand in context or in every candidate")
            twice = next((name for name in candidate if name in context and name in self._known), None)
            if twice is not None:
                raise Refusal(
                    422, f"candidates.{index}.{twice}: a field must be given once, but the context has it too"
                )
        return of_each

    def _joined(self, once: RawRows, each: RawRows) -> Batch:
        """Encode each feature from the rows that hold its columns: the context, the candidates, or both together."""
        encoder, num_rows = self.run.encoder, each.num_rows
        both = None
        columns = []
        for spec in encoder.manifest.features:
            if spec.is_served and spec.column not in once.names:
                columns.append(np.zeros(num_rows))
                continue
            wanted = set(spec.columns)
            if wanted <= set(once.names):
                source, times = once, num_rows
            elif wanted <= set(each.names):
                source, times = each, 1
            else:
                both = both or _together(once, each)
                source, times = both, 1
            vocabulary = encoder.vocabularies.get(spec.name)
            numbering = Numbering.none() if vocabulary is None else Numbering(vocabulary.ids, once_per_text=True)
            found = spec.encode(spec.parse(encoder.source(source, numbering)))
            columns.append(np.repeat(found, times, axis=0) if times > 1 else found)
        rows = EncodedRows.assemble(encoder.schema, num_rows, columns)
        return Batch(
            categorical=torch.from_numpy(rows.categorical),
            numeric=torch.from_numpy(rows.numeric),
            labels=None,
            group=None,
            sequence=None if rows.sequence is None else torch.from_numpy(rows.sequence),
        )

    def _unseen(self, batch: Batch) -> list[list[str]]:
        names = self.run.encoder.schema.categorical
        flags = {names[index].name: batch.categorical[:, index] == unknown for index, unknown in self._unknown.items()}
        return [[name for name, flag in flags.items() if flag[row]] for row in range(batch.num_examples)]


def _together(once: RawRows, each: RawRows) -> RawRows:
    """Repeat the context beside each candidate."""
    table = each.table
    indices = np.zeros(each.num_rows, dtype=np.int64)
    for name in once.names:
        table = table.append_column(name, once.column(name).take(indices))
    return replace(each, table=table)

"""A run that a service has loaded: it encodes, scores, ranks and explains rows."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from rankelastor.errors import DataError, RunError
from rankelastor.evaluation.row_scorer import RowScorer
from rankelastor.explanations.columns import column_places
from rankelastor.explanations.contributions import Contribution, contributions, join, logits_of
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.schema import Batch
from rankelastor.service.columns import REQUEST
from rankelastor.service.facts import ModelFacts
from rankelastor.service.refusals import Refusal
from rankelastor.service.remembered import RememberingEncoder
from rankelastor.service.request_types import RequestTypes, Row

_MOST_BACKGROUND = 32
_FEW_CANDIDATES = 64
"""So few are encoded together with other requests; of more, what reads the context alone is encoded once."""


@dataclass(frozen=True)
class Asked:
    """The rows of one request.

    Attributes:
        rows: the rows, or candidates.
        context: what stands beside each of them.
    """

    rows: Sequence[Row]
    context: Row = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self.rows)


@dataclass(frozen=True)
class Scored:
    """The rows of one request as a batch, and their probabilities."""

    batch: Batch
    probability: Float64[ndarray, "row task"]


class ServedModel:
    """A loaded run or bundle. One thread at a time scores.

    Args:
        place: the run folder or the bundle.
    """

    def __init__(self, place: Path) -> None:
        self.run: LoadedRun = load_run(place)
        self.requests = RequestTypes(self.run.encoder)
        self.facts = ModelFacts(self.run)
        self._encoder = RememberingEncoder(self.run.encoder)
        self._scorer = RowScorer(self.run)
        self.close = weakref.finalize(self, self._scorer.close)
        """Stops the threads, at the latest when no request uses the model any more."""
        self._lock = threading.Lock()
        self._places = column_places(self.run.encoder)
        self._background = self._background_rows()
        self._unknown = {
            index: feature.out_of_vocabulary_id
            for index, feature in enumerate(self.run.encoder.schema.categorical)
            if feature.name in self.run.encoder.vocabularies and feature.serving_id is None
        }

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return self.run.encoder.schema.tasks

    def encode(self, rows: Sequence[Row], *, context: Row | None = None) -> Batch:
        """Encode rows, each with the values of a context beside its own; what reads the context alone is encoded once.

        Raises:
            DataError: a cell is wrong.
            Refusal: a text is no UTF-8.
        """
        return self._encoder.encode(rows, context=context or {})

    def score_together(self, requests: Sequence[Asked]) -> list[Scored | Exception]:
        """Encode and score the rows of several requests at once; what is wrong with one of them is its result alone."""
        encoded = self._encoded(requests)
        whole = [each for each in encoded if isinstance(each, Batch)]
        if not whole:
            return [each for each in encoded if isinstance(each, Exception)]
        try:
            parts = iter(np.split(self.score(join(whole)), np.cumsum([each.num_examples for each in whole])[:-1]))
        except RunError:  # a logit is not finite; scored alone, each request shows whether it is one of its own
            return [each if isinstance(each, Exception) else self._scored_alone(each) for each in encoded]
        return [each if isinstance(each, Exception) else Scored(each, next(parts)) for each in encoded]

    def _scored_alone(self, batch: Batch) -> Scored | Exception:
        try:
            return Scored(batch, self.score(batch))
        except RunError as error:
            return error if self._fails_without_numbers(batch) else self._too_large(batch)

    def _fails_without_numbers(self, batch: Batch) -> bool:
        try:
            self.score(replace(batch, numeric=torch.zeros_like(batch.numeric)))
        except RunError:
            return True
        return False

    def _too_large(self, batch: Batch) -> Refusal:
        """Name the largest number of a batch, which is too large for the model."""
        row, index = divmod(int(batch.numeric.abs().argmax()), batch.numeric.shape[1])
        name = self.run.encoder.schema.numeric[index].name
        return Refusal(
            422,
            f"{REQUEST}, field {name!r}, row {row + 1} must hold a number that this model can score, but the one given "
            "is too large: the logit is not finite; send a smaller one",
        )

    def _encoded(self, requests: Sequence[Asked]) -> list[Batch | Exception]:
        """Encode short requests together, which takes hardly longer than one, and rankings of many candidates alone."""
        short = [index for index, each in enumerate(requests) if not each.context or each.num_rows <= _FEW_CANDIDATES]
        found: dict[int, Batch | Exception] = {}
        if len(short) > 1:
            rows = [{**requests[index].context, **row} for index in short for row in requests[index].rows]
            with suppress(DataError, Refusal):
                batch, start = self.encode(rows), 0
                for index in short:
                    found[index] = _slice(batch, start, start + requests[index].num_rows)
                    start += requests[index].num_rows
        return [found.get(index) or self._encoded_or_error(each) for index, each in enumerate(requests)]

    def _encoded_or_error(self, asked: Asked) -> Batch | Exception:
        try:
            return self.encode(asked.rows, context=asked.context)
        except (DataError, Refusal) as error:
            return error

    def require_columns(self, asked: Asked) -> None:
        """Check that each column stands in the context or in every candidate.

        Raises:
            Refusal: a column stands in neither, or in both.
        """
        if not asked.rows:
            raise Refusal(422, "a request must hold candidates, but holds none")
        given = self._known & asked.context.keys()
        wanted = [name for name in self.requests.columns if name not in asked.context]
        needed = frozenset(wanted)
        for index, candidate in enumerate(asked.rows):
            if needed <= candidate.keys() and given.isdisjoint(candidate):
                continue
            name = next((name for name in wanted if name not in candidate), None)
            if name is not None:
                raise Refusal(422, f"candidates.{index}.{name}: a field must stand in context or in every candidate")
            twice = next(name for name in candidate if name in given)
            raise Refusal(422, f"candidates.{index}.{twice}: a field must be given once, but the context has it too")

    def score(self, batch: Batch) -> Float64[ndarray, "row task"]:
        """Compute the probabilities of a batch."""
        with self._lock:
            return self._scorer.score(batch)

    def explain(self, row: Row, *, task: int = 0) -> tuple[Contribution, ...]:
        """Compute what each column contributed to the logit of a row, see ``contributions``."""
        encoded = self.encode([row])
        return contributions(
            lambda batch: logits_of(self.score(batch)), encoded, self._background, self._places, task=task
        )

    @property
    def num_explaining_rows(self) -> int:
        """Number of rows that are scored to explain one."""
        return 1 + len(self._places) * self._background.num_examples

    def _background_rows(self) -> Batch:
        """Make the rows whose values take the place of a row's: example rows, or one of unseen values and zeros."""
        if self.facts.examples is not None:
            return next(self.run.encoder.encode(self.facts.examples).split(_MOST_BACKGROUND))
        schema = self.run.encoder.schema
        unknown = [feature.out_of_vocabulary_id for feature in schema.categorical]
        return Batch(
            categorical=torch.tensor([unknown], dtype=torch.int32).reshape(1, -1),
            numeric=torch.zeros(1, len(schema.numeric)),
            labels=None,
            group=None,
            sequence=torch.zeros(1, schema.num_positions, dtype=torch.int32) if schema.sequence else None,
        )

    @cached_property
    def _served(self) -> frozenset[str]:
        return frozenset(spec.column for spec in self.run.encoder.manifest.features if spec.is_served)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.requests.columns) | self._served

    def unseen(self, batch: Batch) -> list[list[str]]:
        """Name the fields of each row whose values training has not seen."""
        names = self.run.encoder.schema.categorical
        flags = {names[index].name: batch.categorical[:, index] == unknown for index, unknown in self._unknown.items()}
        return [[name for name, flag in flags.items() if flag[row]] for row in range(batch.num_examples)]


def _slice(batch: Batch, start: int, stop: int) -> Batch:
    sequence = None if batch.sequence is None else batch.sequence[start:stop]
    return Batch(
        categorical=batch.categorical[start:stop],
        numeric=batch.numeric[start:stop],
        labels=None,
        group=None,
        sequence=sequence,
    )

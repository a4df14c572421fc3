"""What each column contributed to one row of a table."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rankelastor.data.raw.inputs import Table
from rankelastor.errors import DataError
from rankelastor.evaluation.row_scorer import RowScorer
from rankelastor.execution.cores import borrowed_cores
from rankelastor.explanations.columns import column_places
from rankelastor.explanations.contributions import Contribution, contributions, logits_of
from rankelastor.explanations.labelled_batch import prepared_batch, raw_batch
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.schema import Batch, SplitName

_NUM_OTHERS = 100


@dataclass(frozen=True)
class ExplainedRow:
    """The probability of a row, and what each column contributed to its logit, largest first."""

    number: int
    probability: float
    contributions: tuple[Contribution, ...]

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        told = [each.as_dict() for each in self.contributions]
        return {"row": self.number, "probability": self.probability, "contributions": told}


def explain_row(
    run: LoadedRun | str | Path,
    number: int,
    *,
    split: SplitName = "test",
    on: Table | None = None,
    prepared: str | Path | None = None,
) -> ExplainedRow:
    """Compute what each column contributed to a row: its logit minus the mean with that column of other rows.

    Args:
        run: a loaded run, a run folder or a bundle.
        number: number of the row, counted from 1.
        split: the split of the prepared data.
        on: rows instead of a split; they need no labels.
        prepared: the prepared folder, if it was moved.

    Raises:
        DataError: there is no such row, no other row to compare it with, or the rows cannot be read.
    """
    loaded = run if isinstance(run, LoadedRun) else load_run(run)
    most = max(number, _NUM_OTHERS + 1)
    rows = (
        prepared_batch(loaded.dataset(prepared).split(split), most=most)
        if on is None
        else raw_batch(loaded, on, most=most, labelled=False)
    )
    if not 1 <= number <= rows.num_examples or rows.num_examples == 1:
        raise DataError(
            f"the row must be one of several, but row {number} of {rows.num_examples} was asked for; try another row"
        )
    others = torch.tensor([index for index in range(rows.num_examples) if index != number - 1][:_NUM_OTHERS])
    row = _select(rows, torch.tensor([number - 1]))
    with borrowed_cores(loaded.recipe.training.execution.threads), closing(RowScorer(loaded)) as score:
        found = contributions(
            lambda batch: logits_of(score.score(batch)), row, _select(rows, others), column_places(loaded.encoder)
        )
        return ExplainedRow(number, float(score.score(row)[0, 0]), found)


def _select(rows: Batch, places: Tensor) -> Batch:
    sequence = None if rows.sequence is None else rows.sequence[places]
    return Batch(
        categorical=rows.categorical[places], numeric=rows.numeric[places], labels=None, group=None, sequence=sequence
    )

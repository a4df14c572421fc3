"""Compare finished runs on the test rows that all of them have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import RunError, SettingsError
from rankelastor.evaluation.run_scorer import score_run
from rankelastor.evaluation.scoring import Predictions
from rankelastor.execution.cores import borrowed_cores
from rankelastor.progress import ProgressListener
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.schema import SplitName
from rankelastor.studies.comparing.differences import MetricDifference, differences
from rankelastor.training.epoch_batches import scoring_loader

SEEDS_DIFFER_TOO = (
    "The intervals are over draws of the rows: another training seed may change each model by more. Compare several "
    "seeds of each with `rankelastor study`."
)


@dataclass(frozen=True)
class RunComparison:
    """Two runs on the same rows.

    Attributes:
        name: name of the first run.
        other: name of the second run.
        task: the label.
        num_rows: number of rows.
        differences: the differences of the metrics.
    """

    name: str
    other: str
    task: str
    num_rows: int
    differences: tuple[MetricDifference, ...]

    def sentences(self) -> list[str]:
        """Say of each metric which run is better, or that they cannot be told apart."""
        return [each.words(self.name, self.other) for each in self.differences]

    def as_dict(self) -> dict[str, Any]:
        """Convert to values for JSON."""
        return asdict(self)


def compare_runs(
    runs: Sequence[str | Path],
    *,
    split: SplitName = "test",
    prepared: str | Path | None = None,
    progress: ProgressListener | None = None,
) -> list[RunComparison]:
    """Compare each later run with the first one: difference of AUC, gAUC and logloss on the same rows, with intervals.

    Args:
        runs: two run folders or more.
        split: the split.
        prepared: the prepared folder, if it was moved; see ``LoadedRun.dataset``.
        progress: receives the progress of the scoring.

    Example:
        >>> from rankelastor.studies.comparing.compare import compare_runs
        >>> # compare_runs(["runs/rankmixer", "runs/rankelastor"])[0].sentences()

    Raises:
        RunError: a run has not finished, or the rows are not the same.
        SettingsError: fewer than two runs are given.
        DataError: the split is missing, or has rows of one label alone.
    """
    folders = [Path(run) for run in runs]
    if len(folders) < 2:  # noqa: PLR2004
        raise SettingsError(f"runs must be two or more to be compared, but {len(folders)} was given; name another")
    for folder in folders:
        RunFolder.open(folder).result()
    loaded = [load_run(folder) for folder in folders]
    datasets = [run.dataset(prepared) for run in loaded]
    for folder, dataset in zip(folders[1:], datasets[1:], strict=True):
        _require_same_files(folders[0], datasets[0], folder, dataset, split)
    scored = [_score(run, dataset, split, progress) for run, dataset in zip(loaded, datasets, strict=True)]
    names = _distinct([folder.resolve() for folder in folders])
    for folder, predictions in zip(folders[1:], scored[1:], strict=True):
        _require_same_rows(folders[0], scored[0], folder, predictions, split)
    return [
        _compared(name, predictions, names[0], scored[0], place)
        for name, predictions in zip(names[1:], scored[1:], strict=True)
        for place in range(len(scored[0].tasks))
    ]


def _score(
    run: LoadedRun, dataset: PreparedDataset, split: SplitName, progress: ProgressListener | None
) -> Predictions:
    training = run.recipe.training
    with borrowed_cores(training.execution.threads):
        predictions = score_run(run, scoring_loader(dataset, split, training), progress=progress).predictions
    if predictions.weight is not None:
        raise SettingsError(
            f"runs that are compared must have rows that count alike, but those of {run.folder} are weighted by "
            "data.weight or data.negatives_kept; compare the figures of `rankelastor evaluate`"
        )
    return predictions


def _require_same_files(one: Path, mine: PreparedDataset, other: Path, theirs: PreparedDataset, split: str) -> None:
    """Raise unless the rows of a split come from the same files, divided in the same way."""
    if mine.fingerprint == theirs.fingerprint:
        return
    known = [(_digests(dataset, split), dataset.manifest.settings.get("split")) for dataset in (mine, theirs)]
    if known[0] != known[1]:
        raise _different_rows(one, other, f"other files of {split}, or another split of them")


def _require_same_rows(one: Path, mine: Predictions, other: Path, theirs: Predictions, split: str) -> None:
    what = None
    if mine.tasks != theirs.tasks:
        what = f"the labels {', '.join(mine.tasks)} and {', '.join(theirs.tasks)}"
    elif len(mine.label) != len(theirs.label):
        what = f"{len(mine.label):,} and {len(theirs.label):,} rows in {split}"
    elif not np.array_equal(mine.label, theirs.label):
        what = f"rows of {split} with other labels, or in another order"
    if what is not None:
        raise _different_rows(one, other, what)


def _digests(dataset: PreparedDataset, split: str) -> list[str]:
    """List the checksums of the files of a split; of a log in one piece those of the whole log."""
    sources = dataset.manifest.sources
    return [each.digest for each in sources if each.split == split] or [each.digest for each in sources]


def _different_rows(one: Path, other: Path, what: str) -> RunError:
    return RunError(
        f"runs must be compared on the same rows, but {one} and {other} have {what}; train them on the same files, in "
        "the same split"
    )


def _compared(name: str, mine: Predictions, other: str, theirs: Predictions, place: int) -> RunComparison:
    label = mine.label[:, place]
    found = differences(label, mine.probability[:, place], theirs.probability[:, place], group=mine.group)
    return RunComparison(name, other, mine.tasks[place], len(label), tuple(found))


def _distinct(folders: Sequence[Path]) -> list[str]:
    """Name runs by their folders, with the parent where two have one name.

    Example:
        >>> _distinct([Path("a/x"), Path("b/x"), Path("b/y")])
        ['a/x', 'b/x', 'y']
    """
    names = [folder.name for folder in folders]
    return [
        f"{folder.parent.name}/{folder.name}" if names.count(folder.name) > 1 else folder.name for folder in folders
    ]

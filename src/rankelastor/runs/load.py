"""Load a run folder: its recipe, its encoder of raw rows, its ranker."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from rankelastor.calibration.calibration import NO_CALIBRATION, Calibration, read_calibration
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import PREPARED_FOLDER, DataError, RunError, StalePreparedError
from rankelastor.execution.device import choose_device
from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.places import in_full
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.migration import rename_weights
from rankelastor.runs.result import ProbabilityFigures
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.weights import read_weights, set_weights


@dataclass(frozen=True)
class ValidReference:
    """What later predictions are compared with.

    Attributes:
        share_by_field: share of the values of each field of valid that are unseen.
        predictions: distribution of the probabilities of valid by task; empty in results of earlier versions.
    """

    share_by_field: Mapping[str, float]
    predictions: Mapping[str, ProbabilityFigures]


@dataclass(frozen=True)
class LoadedRun:
    """A loaded run.

    Attributes:
        folder: the run folder.
        recipe: the resolved recipe.
        encoder: encodes raw rows as batches.
        ranker: the model with the best weights, in evaluation mode.
        calibration: what is done to its logits after the correction by ``recipe.odds``.
    """

    folder: Path
    recipe: Recipe
    encoder: RowEncoder
    ranker: Ranker
    calibration: Calibration = NO_CALIBRATION

    def __repr__(self) -> str:
        run = RunFolder(self.folder)
        told = run.result().summary if run.has_result else f"{self.recipe.model.kind}, stopped before the end"
        return f"{type(self).__name__}({str(self.folder)!r}, {told})"

    def valid_reference(self) -> ValidReference | None:
        """Read what the result says of the valid split; None if the run was stopped before it had one."""
        folder = RunFolder(self.folder)
        if not folder.has_result:
            return None
        result = folder.result()
        unseen = result.unseen.get("valid")
        return ValidReference(
            share_by_field={} if unseen is None else unseen.share_by_field,
            predictions=result.predictions.get("valid", {}),
        )

    def dataset(self, prepared: str | Path | None = None) -> PreparedDataset:
        """Open the prepared data that the run was trained on.

        Without ``prepared``, they are looked for where the recipe says, counted from the current folder, and then
        where they were when the run was trained.

        Args:
            prepared: the prepared folder, if it was moved.

        Raises:
            StalePreparedError: the prepared folder was made from other data or settings since the training.
            DataError: the prepared folder is missing.
        """
        if prepared is not None:
            return self._same(PreparedDataset.open(prepared))
        here, remembered = Path(self.recipe.data.prepared), RunFolder(self.folder).prepared
        if remembered is None or not remembered.is_dir() or remembered == here.resolve():
            self._require_prepared(here, remembered)
            return self._same(PreparedDataset.open_matching(self.recipe.data))
        if here.is_dir():
            with suppress(DataError):  # a folder of that name that belongs to other data
                return self._same(PreparedDataset.open_matching(self.recipe.data))
        return self._same(PreparedDataset.open(remembered))

    def _same(self, dataset: PreparedDataset) -> PreparedDataset:
        if dataset.fingerprint != self.encoder.manifest.fingerprint:
            raise StalePreparedError(
                f"{dataset.folder} must be what {self.folder} was trained on, but it was prepared again "
                "from other data; train again, or restore the former files and run `rankelastor prepare RECIPE`"
            )
        return dataset

    def _require_prepared(self, here: Path, remembered: Path | None) -> None:
        if here.exists():
            return
        since = "" if remembered is None or remembered == here.resolve() else f", nor does {remembered}, where it was"
        counts = "" if here.is_absolute() else f" ({here} counts from the current folder)"
        raise DataError(
            f"{in_full(here)} must be the prepared folder that {self.folder} was trained on, but it does not "
            f"exist{counts}{since}; run `rankelastor prepare RECIPE`, or name it with {PREPARED_FOLDER}",
            python=PREPARED_FOLDER,
        )


def load_run(folder: str | Path, *, device: torch.device | None = None) -> LoadedRun:
    """Load a run folder, also one that version 0.1.0 wrote.

    Args:
        folder: the run folder.
        device: device of the ranker; None selects the one that the recipe's ``training.device`` means on this machine.

    Raises:
        RunError: the folder is missing, has a newer format, is damaged, has no weights, or has weights of another
            model.
        SettingsError: the recipe asks for CUDA, and this machine has none.
    """
    run = RunFolder.open(folder)
    recipe = run.recipe()
    encoder = _load_encoder(run)
    ranker = build_ranker(recipe.model, encoder.schema)
    weights = read_weights(run.best_weights)
    if run.format_version == 1:
        weights = rename_weights(weights)
    set_weights(ranker, weights, source=run.best_weights)
    ranker = ranker.to(device or choose_device(recipe.training.execution))
    calibration = read_calibration(run.path, tasks=encoder.schema.tasks)
    return LoadedRun(folder=run.path, recipe=recipe, encoder=encoder, ranker=ranker.eval(), calibration=calibration)


def _load_encoder(run: RunFolder) -> RowEncoder:
    """Load the copy of schema and vocabularies in a run folder, which `prepare` cannot make anew."""
    try:
        return RowEncoder.load(run.features)
    except DataError as error:
        fault = str(error).rpartition("; ")[0] or str(error)
        raise RunError(
            f"a run folder must be whole, but {fault}; restore {run.path} from a copy, or train again"
        ) from error

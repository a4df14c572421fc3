"""Load a run folder: its recipe, its encoder of raw rows, its ranker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from rankelastor.calibration.calibration import FILE_NAME as CALIBRATION_FILE
from rankelastor.calibration.calibration import NO_CALIBRATION, Calibration, read_calibration
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import ON_ROWS, PREPARED_FOLDER, DataError, RunError, StalePreparedError
from rankelastor.execution.device import choose_device
from rankelastor.models.build import build_ranker
from rankelastor.models.ensemble import EnsembleRanker
from rankelastor.models.ranker import Ranker
from rankelastor.places import in_full
from rankelastor.recipes.recipe import Recipe
from rankelastor.remote.remote_path import AnyPath, RemotePath, place_of
from rankelastor.runs.bundle_file.archive import is_bundle
from rankelastor.runs.bundle_file.unpacked import UnpackedBundle, unpack_bundle
from rankelastor.runs.ensemble_folder import FILE_NAME as ENSEMBLE_FILE
from rankelastor.runs.ensemble_folder import member_folders
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
        members: of an ensemble, the runs of which the ranker is the mean; else empty.
        bundle: the bundle that was unpacked into ``folder``; None for a run folder.
    """

    folder: Path
    recipe: Recipe
    encoder: RowEncoder
    ranker: Ranker
    calibration: Calibration = NO_CALIBRATION
    members: tuple[LoadedRun, ...] = ()
    bundle: UnpackedBundle | None = None

    def __repr__(self) -> str:
        run = RunFolder(self.folder)
        told = run.result().summary if run.has_result else f"{self.recipe.model.kind}, stopped before the end"
        return f"{type(self).__name__}({str(self.source)!r}, {told})"

    @property
    def source(self) -> Path:
        """The run folder or the bundle that was loaded."""
        return self.folder if self.bundle is None else self.bundle.source

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

    def dataset(self, prepared: str | AnyPath | None = None) -> PreparedDataset:
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
        here = place_of(self.recipe.data.prepared, what="data.prepared", error=DataError)
        remembered = RunFolder(self.folder).prepared
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
                f"{dataset.place} must be what {self.folder} was trained on, but it was prepared again "
                "from other data; train again, or restore the former files and run `rankelastor prepare RECIPE`"
            )
        return dataset

    def _require_prepared(self, here: AnyPath, remembered: AnyPath | None) -> None:
        if here.exists():
            return
        if isinstance(here, RemotePath):
            here.require_bucket()
            raise DataError(
                f"{here} must be the prepared folder that {self.folder} was trained on, but there is nothing there; "
                f"run `rankelastor prepare RECIPE`, or name it with {PREPARED_FOLDER}",
                python=PREPARED_FOLDER,
            )
        if self.bundle is not None:
            raise DataError(
                f"a bundle holds no prepared data, and {in_full(here)}, on which {self.source} was trained, does not "
                f"exist here; name rows with {ON_ROWS}",
                python=ON_ROWS,
            )
        since = "" if remembered is None or remembered == here.resolve() else f", nor does {remembered}, where it was"
        counts = "" if here.is_absolute() else f" ({here} counts from the current folder)"
        raise DataError(
            f"{in_full(here)} must be the prepared folder that {self.folder} was trained on, but it does not "
            f"exist{counts}{since}; run `rankelastor prepare RECIPE`, or name it with {PREPARED_FOLDER}",
            python=PREPARED_FOLDER,
        )


def load_run(folder: str | Path, *, device: torch.device | None = None) -> LoadedRun:
    """Load a run folder, also one that version 0.1.0 wrote, an ensemble, or a bundle.

    Args:
        folder: the run folder, or a bundle, which is unpacked into a temporary folder.
        device: device of the ranker; None selects the one that the recipe's ``training.device`` means on this machine.

    Raises:
        RunError: the folder is missing, has a newer format, is damaged, has no weights, or has weights of another
            model; or members of an ensemble are missing or stand on different data.
        SettingsError: the recipe asks for CUDA, and this machine has none.
        StorageError: the disk of the temporary folder has too little space for a bundle.
    """
    if is_bundle(folder):
        bundle = unpack_bundle(folder)
        return replace(load_run(bundle.run, device=device), bundle=bundle)
    run = RunFolder.open(folder)
    require_whole(run)
    recipe = run.recipe()
    if members := member_folders(run.path):
        return _load_ensemble(run, recipe, members, device=device)
    encoder = _load_encoder(run)
    ranker = build_ranker(recipe.model, encoder.schema)
    weights = read_weights(run.best_weights, features=encoder.manifest.feature_digest or "features without checksums")
    if run.format_version == 1:
        weights = rename_weights(weights)
    set_weights(ranker, weights, source=run.best_weights)
    ranker = ranker.to(device or choose_device(recipe.training.execution))
    calibration = read_calibration(run.path, tasks=encoder.schema.tasks)
    return LoadedRun(folder=run.path, recipe=recipe, encoder=encoder, ranker=ranker.eval(), calibration=calibration)


def _load_ensemble(
    run: RunFolder, recipe: Recipe, folders: Sequence[Path], *, device: torch.device | None
) -> LoadedRun:
    members = [_load_member(run, folder, device=device) for folder in folders]
    check_same_data(members)
    encoder, shift = members[0].encoder, recipe.odds.logit_shift
    ranker = EnsembleRanker(
        [member.ranker for member in members],
        logit_shifts=[member.recipe.odds.logit_shift - shift for member in members],
    )
    return LoadedRun(
        folder=run.path,
        recipe=recipe,
        encoder=encoder,
        ranker=ranker.eval(),
        calibration=read_calibration(run.path, tasks=encoder.schema.tasks),
        members=tuple(members),
    )


def _load_member(run: RunFolder, folder: Path, *, device: torch.device | None) -> LoadedRun:
    if not RunFolder(folder).best_weights.is_file():
        raise RunError(
            f"an ensemble must have all of its members, but {folder} has no weights; train {run.path} again, which "
            "goes on with the members that are missing"
        )
    return load_run(folder, device=device)


def check_same_data(members: Sequence[LoadedRun]) -> None:
    """Check that runs can be the members of one ensemble: they stand on the same prepared data.

    Raises:
        RunError: they do not.
    """
    first = members[0]
    for member in members[1:]:
        if member.encoder.manifest.fingerprint != first.encoder.manifest.fingerprint:
            raise RunError(
                f"members of an ensemble must be trained on the same prepared data, but {member.folder} was not "
                f"trained on those of {first.folder}: another split, other fields or other files; train it on "
                f"{first.recipe.data.prepared}"
            )
        kept = [each.recipe.data.negatives_kept for each in (first, member)]
        if kept[0] != kept[1]:
            raise RunError(
                f"members of an ensemble must say the same of their data, but data.negatives_kept is {kept[0]} in "
                f"{first.folder} and {kept[1]} in {member.folder}; train one of them again"
            )


def require_whole(run: RunFolder) -> None:
    """Check settings, environment, calibration and list of members; features and weights hold their own checksums.

    Raises:
        RunError: one of them is missing or damaged.
    """
    if (seal := run.seal()) is not None:
        seal.require_settings()
        seal.require_whole("environment.json", ENSEMBLE_FILE, CALIBRATION_FILE)


def _load_encoder(run: RunFolder) -> RowEncoder:
    """Load the copy of schema and vocabularies in a run folder, which `prepare` cannot make anew."""
    try:
        return RowEncoder.load(run.features)
    except DataError as error:
        fault = str(error).rpartition("; ")[0] or str(error)
        raise RunError(
            f"a run folder must be whole, but {fault}; restore {run.path} from a copy, or train again"
        ) from error

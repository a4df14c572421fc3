"""The finished run that another training goes on from: its settings, features and state, and what is refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from torch import Tensor, nn

from rankelastor.checksums import checksum_of_file
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.features.extended_vocabulary import kept_ids
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.manifest import Manifest, read_vocabularies
from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import RunError
from rankelastor.models.cost import unfilled_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.merging import merge_settings
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.bundle_file.archive import is_bundle
from rankelastor.runs.checkpoints import Checkpoint, list_checkpoints, read_checkpoint
from rankelastor.runs.ensemble_folder import member_folders
from rankelastor.runs.load import require_whole
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.weights import read_weights
from rankelastor.training.carried_rows import VALUE_RATES, RowMoves, Side
from rankelastor.training.carried_state import CarriedState
from rankelastor.training.differences import listed, value_differences

_logger = logging.getLogger(__name__)

_GROWS = ("num_ids", "unseen_id", "serving_id", "pretrained")
"""What a further day may change in the entry of a feature."""


@dataclass(frozen=True)
class Predecessor:
    """A finished run that another training goes on from.

    Attributes:
        run: its folder.
        recipe: its settings, in which nothing is left out.
        encoder: its features.
    """

    run: RunFolder
    recipe: Recipe
    encoder: RowEncoder

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open the folder of a finished run.

        Raises:
            RunError: it is no run folder, an ensemble or a bundle, has not finished, or is damaged.
        """
        if is_bundle(folder):
            raise RunError(
                f"a training must go on from a run folder, but {folder} is a bundle, which holds no state of an "
                "optimizer; name the run that it was made of"
            )
        run = RunFolder.open(folder)
        if member_folders(run.path):
            raise RunError(f"a training must go on from one run, but {folder} is an ensemble; name one of its members")
        if not run.has_result:
            raise RunError(
                f"a training must go on from a finished run, but {folder} has not finished; train it to its end first"
            )
        require_whole(run)
        return cls(run, run.recipe(), RowEncoder.load(run.features))

    @cached_property
    def digest(self) -> str:
        """Checksum of its weights, which tells one run from another."""
        return checksum_of_file(self.run.best_weights).sha256

    def complete(self, recipe: Recipe) -> Recipe:
        """Let the recipe have the model of the run where it leaves settings of the model out.

        Raises:
            RunError: the recipe gives another kind of model, or tables are sharded.
        """
        if recipe.model.kind != self.recipe.model.kind:
            raise RunError(
                f"a training must go on with the model of its run, but {self.run} has {self.recipe.model.kind} and "
                f"the recipe {recipe.model.kind}; train anew to have another"
            )
        if "sharded" in {each.training.distributed.embedding for each in (self.recipe, recipe)}:
            raise RunError(
                "a training must have replicated tables to go on from another, as the other must, but "
                "training.distributed.embedding is sharded; train anew, or with embedding=replicated"
            )
        given = recipe.given
        model = merge_settings(self.recipe.model_dump(mode="json")["model"], given.get("model", {}))
        return recipe_from_values({**given, "model": model}, source=recipe.name)

    def check(self, recipe: Recipe, dataset: PreparedDataset) -> None:
        """Check that the run fits the recipe and its data: the same model and features, and vocabularies that grew.

        Raises:
            RunError: it does not.
        """
        model = (each.model_dump(mode="json")["model"] for each in (self.recipe, recipe))
        if found := value_differences(*({"model": each} for each in model)):
            raise RunError(
                f"a training must go on with the model of its run, but for {self.run} {listed(found)}; train "
                "anew to have another"
            )
        manifest = dataset.manifest
        if found := value_differences(_frozen(self.encoder.manifest), _frozen(manifest)):
            raise RunError(
                f"a training must go on with the features of its run, but for {self.run} and {dataset.place} "
                f"{listed(found)}; prepare the new day as an extension of {self.recipe.data.prepared}"
            )
        former = {self.encoder.manifest.fingerprint}
        chain = {manifest.fingerprint, *(manifest.extension.former if manifest.extension else ())}
        vocabularies = read_vocabularies(dataset.place, manifest)
        strangers = [name for name, each in self.encoder.vocabularies.items() if not _grew(each, vocabularies[name])]
        if strangers and not former & chain:
            raise RunError(
                f"the vocabularies of the data must extend those of the run, but in {dataset.place} values of "
                f"{', '.join(strangers[:5])} have other ids than in {self.run}; prepare the new day as "
                f"an extension of {self.recipe.data.prepared}"
            )

    def state_for(self, ranker: Ranker, dataset: PreparedDataset) -> CarriedState:
        """Read its state and move it to a new ranker, whose vocabularies may know more values.

        Raises:
            RunError: the state is damaged, or is that of another model.
        """
        former = Side(
            unfilled_ranker(self.recipe.model, self.encoder.schema).embedding,
            self.encoder.schema,
            self.encoder.vocabularies,
        )
        new = Side(ranker.embedding, dataset.schema, read_vocabularies(dataset.place, dataset.manifest))
        moves = RowMoves.between(former, new)
        _logger.info("%d embedding rows begin as those of out of vocabulary", moves.num_new)
        return self._state(ranker).moved(moves, ranker.state_dict())

    @property
    def value_rates(self) -> Tensor | None:
        """The value rates of the run (value, task), which the training goes on with; None if its model has none."""
        weights = read_weights(self.run.best_weights, features=self.encoder.manifest.feature_digest)
        return weights.get(VALUE_RATES)

    @property
    def has_optimizer_state(self) -> bool:
        """Whether the run kept the state of its optimizer."""
        return bool(list_checkpoints(self.run.checkpoints))

    def _state(self, ranker: Ranker) -> CarriedState:
        weights = read_weights(self.run.best_weights, features=self.encoder.manifest.feature_digest)
        result = self.run.result()
        checkpoint = self._checkpoint()
        if checkpoint is None:
            _logger.warning(
                "%s kept no state of its optimizer, which begins anew; "
                "training.checkpoint.keep_after_end=true keeps it",
                self.run,
            )
            return CarriedState(weights, epochs_done=float(result.epochs))
        before = float(checkpoint.values["epochs"].get("epochs_before", 0.0))
        try:
            state = CarriedState.of_checkpoint(
                checkpoint.tensors,
                parameters=_names(ranker, trained=False),
                trained=_names(ranker, trained=True),
                epochs_done=before + result.epochs,
            )
        except (ValueError, KeyError) as error:
            raise RunError(f"{checkpoint.path} must be the state of this model, but is not: {error}") from error
        evaluations = checkpoint.values["evaluations"]
        return state if evaluations["best"] == len(evaluations["all"]) - 1 else state.with_weights(weights)

    def _checkpoint(self) -> Checkpoint | None:
        found = list_checkpoints(self.run.checkpoints)
        return read_checkpoint(found[0]) if found else None


def _names(ranker: nn.Module, *, trained: bool) -> list[str]:
    return [name for name, parameter in ranker.named_parameters() if parameter.requires_grad or not trained]


def _frozen(manifest: Manifest) -> dict[str, Any]:
    """Collect what further days do not change: the features with their statistics, and the tasks."""
    features = {
        spec.name: {key: _plain(value) for key, value in spec.model_dump(mode="json").items() if key not in _GROWS}
        for spec in manifest.features
    }
    return {"features": features, "order": _plain(list(features)), "tasks": _plain(list(manifest.tasks))}


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value


def _grew(before: Vocabulary, now: Vocabulary) -> bool:
    """Tell whether all values kept their ids, and out of vocabulary its own."""
    same_unseen = before.out_of_vocabulary_id == now.out_of_vocabulary_id
    return same_unseen and len(kept_ids(before, now)) == len(before.values)


def describe(predecessor: Predecessor) -> Iterator[tuple[str, Any]]:
    """Yield what the environment of the new run says of the former one."""
    yield "run", str(predecessor.run.path.resolve())
    yield "weights", predecessor.digest
    yield "optimizer", predecessor.has_optimizer_state

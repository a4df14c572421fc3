"""The beginning of a training in its run folder: what is written first, or what is read back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial

import torch
from safetensors.torch import load

from rankelastor.collectives.processes import Processes
from rankelastor.data.prepared import copy_feature_state
from rankelastor.data.used_by import User, add_user
from rankelastor.errors import RunError
from rankelastor.evaluation.scoring import Predictions, restored_predictions
from rankelastor.models.ranker import Ranker
from rankelastor.runs.checkpoints import Checkpoint, remove_unfinished
from rankelastor.runs.environment import describe_arithmetic, describe_environment
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.tensor_file import write_tensors
from rankelastor.storage import explain_storage_errors, whole_file
from rankelastor.training.checkpointer import Checkpointer
from rankelastor.training.distributed.sharded_checkpoints import ShardedCheckpointer, SharedTables
from rankelastor.training.distributed.sharded_state import save_whole_weights, tables_of
from rankelastor.training.epoch_batches import scoring_loader
from rankelastor.training.inputs import RunInputs
from rankelastor.training.interruption import Interruption
from rankelastor.training.loop import Start
from rankelastor.training.predecessor import describe
from rankelastor.training.resume import OpenedRun, check_identity, check_predecessor
from rankelastor.training.training import Training

logger = logging.getLogger(__name__)

_PROBABILITY = "probability"


def begin(opened: OpenedRun, inputs: RunInputs, training: Training, *, processes: Processes, began: float) -> Start:
    """Write what stands in a new run folder, or put one back to the state of its checkpoint.

    Args:
        opened: the run folder, and the checkpoint to go on from.
        inputs: inputs of the run.
        training: the ranker before training, and its data.
        processes: those that train together, of which this is the first.
        began: ``time.perf_counter()`` when this process began.

    Raises:
        RunError: the checkpoint belongs to other settings or data, or to a training from another run.
    """
    run, checkpoint = opened.folder, opened.checkpoint
    if checkpoint is None:
        _write_inputs(run, inputs, processes)
        return Start(began=began, carried=inputs.carried(training.ranker))
    check_identity(checkpoint, inputs.recipe, inputs.dataset.fingerprint)
    check_predecessor(checkpoint, inputs.predecessor)
    _warn_of_other_bits(checkpoint, describe_arithmetic(inputs.device), num_processes=processes.world.size)
    remove_unfinished(run.checkpoints)
    _copy_features(run, inputs)
    _record(run, checkpoint, inputs)
    for path in (run.best_weights, run.best_valid):
        checkpoint.copy_of(path.name, path)
    before = checkpoint.values.get("seconds", 0.0)
    return Start(
        checkpoint=checkpoint,
        best_predictions=partial(_best_predictions, run, inputs),
        began=began - (float(before) if isinstance(before, int | float) else 0.0),
    )


def checkpointer_of(
    run: RunFolder, inputs: RunInputs, training: Training, *, interruption: Interruption | None
) -> Checkpointer:
    """Make the writer of the checkpoints of a run."""
    settings = inputs.recipe.training.checkpoint
    identity = {
        "recipe": inputs.recipe.model_dump(mode="json"),
        "data_fingerprint": inputs.dataset.fingerprint,
        "arithmetic": describe_arithmetic(inputs.device),
        "processes": training.processes.world.size,
        **({} if inputs.predecessor is None else {"started_from": inputs.predecessor.digest}),
    }
    files = (run.best_weights, run.best_valid)
    tables = tables_of(training.ranker)
    if tables is None:
        return Checkpointer(run.checkpoints, settings, identity=identity, files=files)
    shared = SharedTables(tables, settings, interruption)
    return ShardedCheckpointer(shared, run.checkpoints, settings, identity=identity, files=files)


class BestSaver:
    """Saves the best weights with the probabilities that they give for valid, which a resumed run needs again."""

    def __init__(self, run: RunFolder, inputs: RunInputs, ranker: Ranker, checkpointer: Checkpointer) -> None:
        self._run = run
        self._features = inputs.dataset.manifest.feature_digest
        self._ranker = ranker
        self._checkpointer = checkpointer

    def __call__(self, predictions: Predictions) -> None:
        """Replace the files, when the last checkpoint has been linked to the former ones."""
        self._checkpointer.wait()
        save_whole_weights(self._ranker, self._run.best_weights, features=self._features)
        with whole_file(self._run.best_valid) as temporary:
            write_tensors({_PROBABILITY: torch.from_numpy(predictions.probability)}, temporary)


def _best_predictions(run: RunFolder, inputs: RunInputs) -> Predictions:
    """Read the probabilities of valid of the best evaluation."""
    valid = scoring_loader(inputs.dataset, "valid", inputs.recipe.training)
    tasks = inputs.dataset.schema.tasks
    probability = load(run.best_valid.read_bytes())[_PROBABILITY].numpy()
    shape = (valid.num_rows, len(tasks))
    if probability.shape != shape:
        raise RunError(f"{run.best_valid} must hold {shape} probabilities, but holds {probability.shape}")
    return restored_predictions(valid, probability, tasks=tasks, odds=inputs.recipe.odds)


def _write_inputs(run: RunFolder, inputs: RunInputs, processes: Processes) -> None:
    """Copy the vocabularies of the features to the run folder, write its environment, and note who uses the data."""
    _copy_features(run, inputs)
    run.write_environment(
        {
            **describe_environment(inputs.device),
            "precision": inputs.precision,
            "seed": inputs.recipe.training.seed,
            "data_fingerprint": inputs.dataset.fingerprint,
            "prepared": str(inputs.dataset.place.resolve()),
            "resumable": True,
            **({"processes": processes.world.size} if processes.world.size > 1 else {}),
            **({} if inputs.predecessor is None else {"started_from": dict(describe(inputs.predecessor))}),
            **({"chosen": {each.path: each.reason for each in inputs.choices}} if inputs.choices else {}),
        }
    )
    add_user(inputs.dataset.place, User.of_run(run.path))


def _copy_features(run: RunFolder, inputs: RunInputs) -> None:
    with explain_storage_errors(run.features):
        copy_feature_state(inputs.dataset.place, run.features)


def _record(run: RunFolder, checkpoint: Checkpoint, inputs: RunInputs) -> None:
    """Note in the environment of the run that it goes on, and with how many epochs; a finished run is reopened."""
    facts = dict(run.environment())
    facts.pop("format_version", None)
    epochs = run.recipe().training.epochs, inputs.recipe.training.epochs
    resumed = {
        "after_step": checkpoint.step,
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        **({"epochs_before": epochs[0], "epochs": epochs[1]} if epochs[0] != epochs[1] else {}),
        "arithmetic": describe_arithmetic(inputs.device),
    }
    run.reopen()
    run.write_recipe(inputs.recipe)
    run.write_environment({**facts, "resumed": [*facts.get("resumed", []), resumed]})


def _warn_of_other_bits(checkpoint: Checkpoint, now: Mapping[str, object], *, num_processes: int) -> None:
    """Say so if the machine or its libraries are others, since results then differ in their last bits."""
    identity = checkpoint.values.get("identity", {})
    before = {**identity.get("arithmetic", {}), "the number of processes": identity.get("processes", 1)}
    now = {**now, "the number of processes": num_processes}
    found = [
        f"{name} was {before.get(name)} and is {value}" for name, value in now.items() if before.get(name) != value
    ]
    if found:
        logger.warning("the bits of the result will differ from those of an unbroken run: %s", "; ".join(found))

"""The first steps of trainings whose rows are sharded, in each of several processes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from tests.training.distributed.shared_training import _Recorder, log_values

from rankelastor.collectives.processes import Processes
from rankelastor.recipes.load import recipe_from_values
from rankelastor.training.epochs import Epochs
from rankelastor.training.inputs import RunInputs
from rankelastor.training.interruption import Interruption

NUM_STEPS = 20
OPTIMISER = {
    "embedding_rule": "rowwise_adagrad",
    "embedding_learning_rate": 0.05,
    "embedding_l2": 1e-3,
    "clip_norm": 0.05,
    "learning_rate": 0.01,
}


def sharded_values(folder: Path, plan: str, *, dim: int = 6, **training: Any) -> dict[str, Any]:
    """Make settings of a training with sharded rows and a sequence that shares those of items, on a folder's log."""
    values = log_values(
        folder,
        {"kind": "mlp", "embedding_dim": dim, "hidden_dims": [8]},
        learning_rate=None,
        embedding_l2=None,
        embedding_updates=None,
        optimiser=OPTIMISER,
        distributed={"embedding": "sharded", "plan": plan},
        threads=1,
        **training,
    )
    past = {"kind": "sequence", "column": "past", "separator": "|", "max_length": 3, "shares": "item"}
    values["data"]["fields"].append(past)
    return values


def take_steps(processes: Processes, folder: str, plan: str, dim: int = 6) -> dict[str, Any]:
    """Take the first steps of a training, with a rate that changes; return losses and the rows afterwards."""
    schedule = {"kind": "cosine", "warmup_epochs": 1, "epochs": 4}
    inputs = RunInputs.of(recipe_from_values(sharded_values(Path(folder), plan, dim=dim, schedule=schedule)))
    training = inputs.training(processes)
    recorder = _Recorder()
    epochs = Epochs(training, [recorder], Interruption())
    with closing(epochs.stepper):
        while len(recorder.losses) < NUM_STEPS:
            epochs.run(lambda: len(recorder.losses) < NUM_STEPS)
            if epochs.is_done:
                epochs.begin_next()
    rows = training.ranker.embedding.look_up(torch.arange(training.ranker.embedding.num_rows))
    return {"losses": recorder.losses, "rows": rows.tolist(), "held": len(training.ranker.embedding.table)}

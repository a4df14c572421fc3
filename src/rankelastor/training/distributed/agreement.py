"""Before the first step: do all processes train the same recipe on the same data?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from rankelastor.collectives.processes import Processes
from rankelastor.errors import RankElastorError, RunError, SettingsError
from rankelastor.progress import ProgressListener
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.differences import listed, value_differences
from rankelastor.training.inputs import RunInputs

_MAY_DIFFER = "training.execution.threads"


def agreed_inputs(
    recipe: Recipe,
    processes: Processes,
    *,
    start_from: str | Path | None = None,
    progress: ProgressListener | None = None,
) -> RunInputs:
    """Open the data of a training, see ``RunInputs.of``, and compare recipe, data and PyTorch over the processes.

    Where nothing is prepared one process of a machine prepares, and the others wait for it.

    Raises:
        RunError: a process has another recipe, other data or another PyTorch, or failed to open its data.
        SettingsError: there are more processes than rows in a batch or in a split.
        RankElastorError: what ``RunInputs.of`` raises here.
    """
    if processes.world.size == 1:
        return RunInputs.of(recipe, start_from=start_from, progress=progress)
    try:
        inputs = RunInputs.of(recipe, start_from=start_from, progress=progress, num_processes=processes.world.size)
    except RankElastorError as error:
        processes.of_all({"error": str(error)})
        raise
    found = processes.of_all(_statement(inputs))
    if (problem := _problem(found)) is not None:
        raise RunError(problem)
    _check_sizes(inputs, processes.world.size)
    return inputs


def _check_sizes(inputs: RunInputs, size: int) -> None:
    """Check that each process gets rows of each batch, and of each split.

    Raises:
        SettingsError: there are more processes than rows of either.
    """
    splits = {f"the rows of {name}": split.num_rows for name, split in inputs.dataset.manifest.splits.items()}
    for name, count in {"training.batch_size": inputs.recipe.training.batch_size, **splits}.items():
        if size > count:
            raise SettingsError(
                f"each of {size} processes must get a row of each batch and each split, but {name} "
                f"{'is' if name.startswith('training') else 'are'} {count}; try {count} process{'es' * (count > 1)}"
            )


def _statement(inputs: RunInputs) -> dict[str, Any]:
    return {
        "recipe": inputs.recipe.model_dump(mode="json"),
        "data": inputs.dataset.fingerprint,
        "torch": torch.__version__,
        "device": inputs.device.type,
        "start": None if inputs.predecessor is None else inputs.predecessor.digest,
    }


def _problem(found: Sequence[Mapping[str, Any]]) -> str | None:
    """Find the first process that cannot take part; None if all can."""
    size, first = len(found), found[0]
    for rank, each in enumerate(found):
        if "error" in each:
            return f"process {rank} of {size} must open its data, but {each['error']}"
    for rank, each in enumerate(found):
        others = value_differences(first["recipe"], each["recipe"])
        others.pop(_MAY_DIFFER, None)
        if others:
            return (
                f"all {size} processes must train the same recipe, but process {rank} has another one than process 0: "
                f"{listed(others)}; start all of them with the same file and the same settings"
            )
        for name, what in (
            ("data", "prepared data"),
            ("torch", "version of PyTorch"),
            ("device", "device"),
            ("start", "run to go on from"),
        ):
            if each[name] != first[name]:
                return (
                    f"all {size} processes must have the same {what}, but process {rank} has {each[name]} and "
                    f"process 0 {first[name]}; {_ADVICE[name]}"
                )
    return None


_ADVICE = {
    "data": "prepare the same files on all machines, or share one prepared folder",
    "torch": "install the same on all machines",
    "device": "name one with training.device",
    "start": "name the same run to start from on all machines, or a copy of it",
}

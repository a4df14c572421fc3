"""Train FuxiCTR's FinalMLP on the prepared Frappe rows, with the best draw of settings of ours and the same seeds.

FuxiCTR runs in an environment of its own (benchmarks/fuxictr-requirements.txt) with its own trainer: its Adam, L2, drop
of the learning rate and early stopping. Results are lines of WORK/results.jsonl (study ``fuxictr``), which the tables
of ``benchmarks.family_table`` show beside ours; a call goes on where another one stopped.

Example:
    python -m benchmarks.family_table run --work runs/family --studies frappe
    python -m benchmarks.family_fuxictr --work runs/family --fuxictr-python fuxictr-env/bin/python
        --model-zoo FuxiCTR/model_zoo
    python -m benchmarks.family_table table --work runs/family
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from benchmarks.family.plan import SEEDS, Job, best_draws, draw_of
from benchmarks.family.worker import prepare_data, recipe_of
from benchmarks.family_table import append_result, describe_machine, read_results

from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepared import PreparedDataset
from rankelastor.metrics.report import evaluate_predictions
from rankelastor.models.finalmlp import FinalMlpSettings
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import SPLITS

WORKER = Path(__file__).with_name("family_fuxictr_worker.py")
STUDY, MODEL = "fuxictr", "finalmlp of fuxictr"


def run(
    fuxictr_python: Annotated[Path, typer.Option(help="The interpreter with fuxictr.")],
    model_zoo: Annotated[Path, typer.Option(help="The folder model_zoo of a checkout of FuxiCTR 2.3.")],
    work: Annotated[Path, typer.Option(help="Folder of the family's table.")] = Path("runs/family"),
) -> None:
    """Run the trainings that have no line of results yet, one after the other, on one thread."""
    work.mkdir(parents=True, exist_ok=True)
    prepare_data(["frappe"], work)
    best = best_draws(read_results(work), "frappe").get("finalmlp")
    if best is None:
        raise typer.BadParameter("ours must be trained first; `python -m benchmarks.family_table run --studies frappe`")
    for seed in SEEDS:
        _run_unless_done(Job(STUDY, MODEL, best, seed, draw_of("finalmlp", best)), work, fuxictr_python, model_zoo)


def _run_unless_done(job: Job, work: Path, python: Path, zoo: Path) -> None:
    if job.key in {line["key"] for line in read_results(work)}:
        return
    recipe = recipe_of(Job("frappe", "finalmlp", job.draw, job.seed, job.changes), work, {})
    dataset = PreparedDataset.open(recipe.data.prepared)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        labels = _write_rows(dataset, place / "rows.npz")
        (place / "settings.json").write_text(json.dumps(settings_for(recipe, dataset)), encoding="utf-8")
        command = [python.absolute(), WORKER, zoo.resolve(), place]
        subprocess.run(  # noqa: S603 - the interpreter that the user names
            list(map(str, command)), check=True, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        line = json.loads((place / "result.json").read_text(encoding="utf-8"))
        scores = np.load(place / "scores.npz")
        for split in ("valid", "test"):
            probability = scores[split][:, None].astype(np.float64)
            line[split] = evaluate_predictions(labels[split][:, None], probability, tasks=("label",)).as_dict()
        to = Path("scores") / f"{job.key.replace('/', '-').replace(' ', '_')}.npy"
        np.save(work / to, scores["test"][:, None].astype(np.float32))
    machine = describe_machine() | {"device": "cpu", "jobs": 1}
    append_result(work, {**job.as_dict(), "key": job.key, **line, "scores": str(to), "machine": machine})
    auc = {split: f"{line[split]['auc']:.6f}" for split in ("valid", "test")}
    typer.echo(f"{job.key}: valid AUC {auc['valid']}, test AUC {auc['test']}, {line['seconds']:.0f} s")


def _write_rows(dataset: PreparedDataset, place: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Write ids (row, field) and labels of each split; return the labels."""
    arrays, labels = {}, {}
    for split in SPLITS:
        rows = dataset.split(split)
        (batch,) = BatchLoader(rows, batch_size=rows.num_rows).epoch()
        assert batch.labels is not None
        labels[split] = batch.labels[:, 0].numpy()
        arrays |= {f"{split}.ids": batch.categorical.numpy(), f"{split}.labels": labels[split]}
    np.savez(place, **arrays)
    return labels


def settings_for(recipe: Recipe, dataset: PreparedDataset) -> Mapping[str, Any]:
    """Write our settings of FinalMLP and of its training with FuxiCTR's names."""
    model, training = recipe.model, recipe.training
    assert isinstance(model, FinalMlpSettings)
    streams = {"mlp1": model.stream1, "mlp2": model.stream2}
    of_streams = {
        name: value
        for each, stream in streams.items()
        for name, value in (
            (f"{each}_hidden_units", list(stream.hidden_dims)),
            (f"{each}_hidden_activations", "ReLU"),
            (f"{each}_dropout", stream.dropout),
            (f"{each}_batch_norm", stream.batch_norm),
            (f"{each.replace('mlp', 'fs')}_context", list(stream.context)),
        )
    }
    return {
        "model": "FinalMLP",
        "fields": [
            {"name": each.name, "kind": "categorical", "num_ids": each.num_ids} for each in dataset.schema.categorical
        ],
        "settings": {
            "embedding_dim": model.embedding_dim,
            "embedding_regularizer": training.optimiser.embedding_l2,
            "learning_rate": training.optimiser.learning_rate,
            "use_fs": model.gate_dims is not None,
            "fs_hidden_units": list(model.gate_dims or ()),
            "num_heads": model.num_heads,
            **of_streams,
        },
        "batch_size": training.batch_size,
        "seed": training.seed,
        "epochs": training.epochs,
    }


if __name__ == "__main__":
    typer.run(run)

"""Replicated against sharded embedding rows: memory of a process, bytes and time of a step, for sizes of the table.

    python -m benchmarks.distributed_rows --rows 500000 5000000 --processes 1 2 --report report.json

Each case is a training of random batches in processes of its own, with one thread each, whose ids are drawn from a
power law in each field. Nothing is prepared, so that tables may be larger than any log at hand. Rows are updated by
row-wise Adagrad in both cases, in TorchRec or in each process, so that what is compared is where rows lie.
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from rankelastor.collectives.joining import are_started_together, joined
from rankelastor.collectives.processes import ALONE, Processes
from rankelastor.config.training import TrainingSettings
from rankelastor.models.build import build_ranker
from rankelastor.models.catalogue import ModelSettings
from rankelastor.models.cost import unfilled_ranker
from rankelastor.nn.own_draws import OwnDraws
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema
from rankelastor.training.distributed.sharded_tables import shard
from rankelastor.training.distributed.sharing import exchange_of, sharded_rows_of, shared_objective
from rankelastor.training.interruption import Interruption
from rankelastor.training.objective import objective_of
from rankelastor.training.speed import peak_memory_bytes
from rankelastor.training.step import Stepper

_NUM_FIELDS, _WARM_STEPS = 26, 3
_EXPONENT = 3.0
"""Ids are the size of a field times a uniform number to this power: low ids are frequent, as in prepared data."""
_CASE = "RANKELASTOR_BENCHMARK_CASE"


@dataclass(frozen=True)
class Case:
    """One training."""

    rows: int
    processes: int
    embedding: str
    plan: str
    dim: int
    batch_size: int
    steps: int


def main() -> None:
    """Measure, print, and write the report; or be one of the processes of a case."""
    if are_started_together(os.environ) or _CASE in os.environ:
        print(json.dumps(_measure(Case(**json.loads(os.environ[_CASE])))), flush=True)
        return
    arguments = parse_arguments()
    cores = len(os.sched_getaffinity(0))
    print(f"{_NUM_FIELDS} fields, width {arguments.dim}, batch {arguments.batch_size}, on {cores} cores")
    print("      rows  processes   embedding          plan  examples/s  peak MB of each process")
    measured = []
    for rows in arguments.rows:
        for number in arguments.processes:
            for embedding in ["replicated", "sharded"] if number > 1 else ["replicated"]:
                plan = arguments.plan if embedding == "sharded" else "auto"
                case = Case(rows, number, embedding, plan, arguments.dim, arguments.batch_size, arguments.steps)
                found = run(case)
                measured.append(asdict(case) | {"found": found})
                print(line_of(case, found), flush=True)
    if arguments.report is not None:
        told = {"cores": cores, "machine": platform.machine(), "fields": _NUM_FIELDS, "measured": measured}
        arguments.report.write_text(json.dumps(told, indent=1) + "\n")


def run(case: Case) -> list[dict[str, Any]]:
    """Start the processes of a case and list what each found."""
    environment = os.environ | {_CASE: json.dumps(asdict(case)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.distributed_rows"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(case.processes)]
    started = [*launch, "-m", "benchmarks.distributed_rows"] if case.processes > 1 else command
    done = subprocess.run(started, check=True, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return sorted(found, key=lambda each: int(each["rank"]))


def _measure(case: Case) -> dict[str, Any]:
    """Train as one process of a case."""
    torch.set_num_threads(1)
    if case.processes == 1:
        return _train(case, ALONE)
    with joined(os.environ) as found:
        return _train(case, found.processes)


def _train(case: Case, processes: Processes) -> dict[str, Any]:
    schema = _schema(case.rows)
    model = TypeAdapter[Any](ModelSettings).validate_python(
        {"kind": "mlp", "embedding_dim": case.dim, "hidden_dims": [128, 64]}
    )
    settings = _settings(case)
    began_with, device = peak_memory_bytes() or 0, torch.device("cpu")
    tables = None
    if case.embedding == "sharded":
        embedding = unfilled_ranker(model, schema).embedding
        names = [feature.name for feature in schema.with_ids]
        tables = shard(embedding, names=names, settings=settings, processes=processes, device=device)
    with OwnDraws(torch.Generator().manual_seed(1)):
        ranker = build_ranker(model, schema, elsewhere=tables)
    exchange = exchange_of(processes, Interruption())
    stepper = Stepper(
        ranker,
        settings.optimiser,
        settings.execution,
        batch_size=case.batch_size,
        objective=shared_objective(objective_of(settings, schema.tasks, ranker), processes=processes),
        exchange=exchange,
        sharded=sharded_rows_of(ranker, exchange),
        clips_rows=False,
    )
    with closing(stepper):
        seconds, exchanged, sent, distinct = _steps(case, processes, stepper, schema)
    return {
        "rank": processes.world.rank,
        "examples_per_second": round(case.batch_size * case.steps / seconds, 1),
        "exchange_share": round(exchanged / seconds, 4),
        "peak_memory_mb": round((peak_memory_bytes() or 0) / 1e6, 1),
        "memory_before_mb": round(began_with / 1e6, 1),
        "bytes_per_step": {kind: round(count / case.steps) for kind, count in sent.items()},
        "distinct_rows_per_step": round(distinct / case.steps),
        "dense_parameters": sum(p.numel() for p in ranker.parameters()) - ranker.embedding.table.numel(),
        "table_mb": round((ranker.embedding.table.nbytes if tables is None else tables.num_bytes) / 1e6, 1),
    }


def _steps(
    case: Case, processes: Processes, stepper: Stepper, schema: FeatureSchema
) -> tuple[float, float, dict[str, int], int]:
    """Take the steps; return their time, that of exchange, bytes by kind, and look-ups without repetition."""
    draws = torch.Generator().manual_seed(7)
    distinct, began, before, waited = 0, 0.0, {}, 0.0
    for step in range(_WARM_STEPS + case.steps):
        if step == _WARM_STEPS:
            began, before = time.perf_counter(), dict(processes.traffic.num_bytes)
            waited = sum(processes.traffic.seconds.values())
        batch = _batch(schema, case.batch_size, processes, draws)
        stepper.step(batch)
        if step >= _WARM_STEPS:
            distinct += sum(len(column.unique()) for column in batch.categorical.T)
    seconds = time.perf_counter() - began
    sent = {kind: count - before.get(kind, 0) for kind, count in processes.traffic.num_bytes.items()}
    return seconds, sum(processes.traffic.seconds.values()) - waited, sent, distinct


def _batch(schema: FeatureSchema, batch_size: int, processes: Processes, draws: torch.Generator) -> Batch:
    sizes = torch.tensor([feature.num_ids - 1 for feature in schema.categorical], dtype=torch.float64)
    uniform = torch.rand(batch_size, len(sizes), generator=draws, dtype=torch.float64)
    ids = 1 + (uniform**_EXPONENT * sizes).to(torch.int32)
    own = slice(*processes.world.share(batch_size))
    labels = (torch.rand(batch_size, 1, generator=draws) < 0.2).float()  # noqa: PLR2004 - a label rate
    return Batch(categorical=ids[own], numeric=torch.zeros(len(ids[own]), 0), labels=labels[own], group=None)


def _schema(rows: int) -> FeatureSchema:
    """Make fields that together have about so many rows: each half of the one before, and a hundred at least."""
    sizes = [max(100, rows >> (field + 1)) for field in range(_NUM_FIELDS)]
    features = [CategoricalFeature(name=f"field{place}", num_ids=size + 1) for place, size in enumerate(sizes)]
    return FeatureSchema(features=tuple(features), tasks=("click",))


def _settings(case: Case) -> TrainingSettings:
    return TrainingSettings.model_validate(
        {
            "batch_size": case.batch_size,
            "optimiser": {"embedding_rule": "rowwise_adagrad", "embedding_learning_rate": 0.02},
            "execution": {"threads": 1, "device": "cpu"},
            "distributed": {"embedding": case.embedding, "plan": case.plan},
        }
    )


def line_of(case: Case, found: Sequence[dict[str, Any]]) -> str:
    """Write one line of the table."""
    memory = ", ".join(f"{each['peak_memory_mb']:,.0f}" for each in found)
    sent = ", ".join(f"{kind} {count:,}" for kind, count in found[0]["bytes_per_step"].items()) or "none"
    return (
        f"{case.rows:10,d} {case.processes:10d} {case.embedding:>11s} {case.plan:>13s} "
        f"{found[0]['examples_per_second']:11,.0f}  {memory} (before: {found[0]['memory_before_mb']:,.0f}); "
        f"bytes a step: {sent}"
    )


def parse_arguments() -> argparse.Namespace:
    """Read the arguments of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000, 5_000_000, 20_000_000])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--plan", choices=["auto", "row_wise", "table_wise", "column_wise"], default="row_wise")
    parser.add_argument("--dim", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--report", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()

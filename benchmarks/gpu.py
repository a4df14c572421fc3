"""Measure training steps on a GPU: examples per second and share of the peak, by size of the network and batch size.

    python -m benchmarks.gpu --out report.json

Each case trains a network of about 1, 10 or 100 million dense parameters on Criteo-like batches that lie on the device
(13 numbers, 26 fields, 0.5 million embedding rows), in bf16: RankElastor of 8 tokens, and a RankMixer of 100 million
parameters with the 16 tokens of width 768 and the 2 blocks of its paper. Ways of computing a step: ``eager``,
``recorded`` (the whole step as one CUDA graph), ``compiled`` (the network by torch.compile with CUDA graphs of its own)
and ``both`` (compiled, and the whole step as one CUDA graph). FLOPs are those of the matrix products of both passes;
the peak is the best of several bf16 products of 8192 x 8192 matrices, measured in the same process.
"""

from __future__ import annotations

import gc
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from benchmarks.speed.workloads import Workload

from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.execution.machine_peak import machine_peak
from rankelastor.models.build import build_ranker
from rankelastor.models.cost import cost_of
from rankelastor.models.ffns import FFNS
from rankelastor.models.heads import HEADS
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.models.mixer import MixerSettings
from rankelastor.models.rankelastor import RankElastorSettings
from rankelastor.models.rankmixer import RankMixerSettings
from rankelastor.models.tokenizers import TOKENIZERS
from rankelastor.schema import Batch
from rankelastor.training.step import Stepper

CUDA = torch.device("cuda")


def _tokenizer() -> LayerSettings:
    return TOKENIZERS.settings("joint", {"hidden_dims": []})


def rankelastor(token_dim: int, num_blocks: int, *, num_tokens: int = 8) -> RankElastorSettings:
    """Make a RankElastor."""
    return RankElastorSettings(
        kind="rankelastor",
        embedding_dim=16,
        num_tokens=num_tokens,
        token_dim=token_dim,
        num_blocks=num_blocks,
        tokenizer=_tokenizer(),
        ffn=FFNS.settings("glu", {"hidden_dims": [token_dim], "expansion": 3}),
    )


MODELS: dict[str, MixerSettings] = {
    "rankelastor-1M": rankelastor(56, 1),
    "rankelastor-10M": rankelastor(144, 2),
    "rankelastor-100M": rankelastor(448, 2),
    "rankelastor-100M-wide": rankelastor(768, 2, num_tokens=4),
    "rankelastor-130M": rankelastor(512, 2),
    "rankmixer-100M": RankMixerSettings(
        kind="rankmixer",
        embedding_dim=16,
        num_tokens=16,
        token_dim=768,
        num_blocks=2,
        tokenizer=_tokenizer(),
        ffn=FFNS.settings("mlp", {"hidden_dims": [1920]}),
        head=HEADS.settings("pooled", {}),
    ),
}
BATCHES = (4096, 16384, 65536)
WAYS = {
    "eager": {"compile": "never", "record": "never"},
    "recorded": {"compile": "never", "record": "auto"},
    "compiled": {"compile": "always", "record": "never"},
    "both": {"compile": "always", "record": "auto"},
}
NUM_BATCHES = 4


@dataclass(frozen=True)
class Case:
    """A network, a batch size and a way of computing steps, with what was measured."""

    model: str
    batch_size: int
    way: str
    dense_parameters: int
    executor: str
    first_seconds: float
    milliseconds: float
    examples_per_second: float
    share_of_peak: float
    peak_memory_gb: float


def workload(model: str, batch_size: int) -> Workload:
    """Make the workload of this model."""
    return Workload(model, MODELS[model], 13, 26, 500_000, embedding_l2=1e-5, batch_size=batch_size)


def measure(model: str, batch_size: int, way: str, *, seconds: float) -> Case:
    """Train for about this time after the steps that compile and record."""
    load = workload(model, batch_size)
    cost = cost_of(load.model, load.schema)
    execution = ExecutionSettings.model_validate({"device": "cuda", "precision": "bf16", **WAYS[way]})
    torch.manual_seed(1)
    ranker = build_ranker(load.model, load.schema).to(CUDA).train()
    stepper = Stepper(ranker, OptimiserSettings(embedding_l2=1e-5), execution, batch_size=batch_size)
    batches = [load.batch(seed).to(CUDA) for seed in range(NUM_BATCHES)]
    torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    for index in range(6):
        stepper.step(batches[index % NUM_BATCHES])
    torch.cuda.synchronize()
    first = time.perf_counter() - began
    one = _seconds_per_step(stepper, batches, count=5)
    step = min(_seconds_per_step(stepper, batches, count=max(5, int(seconds / 3 / one))) for _ in range(3))
    stepper.close()
    flops = cost.training_flops_per_example * batch_size / step
    return Case(
        model=model,
        batch_size=batch_size,
        way=way,
        dense_parameters=cost.dense_parameters,
        executor=stepper.executor,
        first_seconds=round(first, 2),
        milliseconds=round(step * 1e3, 3),
        examples_per_second=round(batch_size / step),
        share_of_peak=round(flops / machine_peak(execution, CUDA), 4),
        peak_memory_gb=round(torch.cuda.max_memory_allocated() / 1e9, 2),
    )


def _seconds_per_step(stepper: Stepper, batches: list[Batch], *, count: int) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    for index in range(count):
        stepper.step(batches[index % len(batches)])
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / count


def main(
    out: Annotated[Path, typer.Option(help="File of the report, JSON.")],
    models: Annotated[str, typer.Option(help="Models to measure, separated by commas.")] = ",".join(MODELS),
    batches: Annotated[str, typer.Option(help="Batch sizes, separated by commas.")] = ",".join(map(str, BATCHES)),
    ways: Annotated[str, typer.Option(help="Ways of computing a step, separated by commas.")] = ",".join(WAYS),
    seconds: Annotated[float, typer.Option(help="Seconds to measure each case for.")] = 1.5,
) -> None:
    """Measure all cases; the report is written after each."""
    peak = machine_peak(ExecutionSettings(device="cuda", precision="bf16"), CUDA)
    report = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "peak_tflops": round(peak / 1e12, 1)}
    typer.echo(json.dumps(report))
    cases: list[dict[str, object]] = []
    for model in models.split(","):
        for batch_size in map(int, batches.split(",")):
            for way in ways.split(","):
                try:
                    case = asdict(measure(model, batch_size, way, seconds=seconds))
                except torch.OutOfMemoryError:
                    case = {"model": model, "batch_size": batch_size, "way": way, "failed": "out of memory"}
                gc.collect()
                torch.cuda.empty_cache()
                typer.echo(json.dumps(case))
                cases.append(case)
                out.write_text(json.dumps({**report, "cases": cases}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)

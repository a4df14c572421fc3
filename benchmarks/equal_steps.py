"""After equal steps from equal weights, are our probabilities those of the naive form? In float64, and in fp32.

The published Avazu setting (e 16, four blocks) without dropout and L2, published initial values, five dense steps of
1,024 examples with Adam at 1e-3; then the probabilities of 4,096 other examples. The naive form (``PublishedManner``)
has one module a token and norms from elementary operations. If a difference in fp32 is rounding, it must vanish in
float64, and be about as large as that between the naive form in fp32 and itself in float64.

Example:
    python -m benchmarks.equal_steps
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
import typer
from benchmarks.speed.carry_over import carry_over
from benchmarks.speed.published_manner import PublishedManner, PublishedStep
from benchmarks.speed.same_losses import disable_dropout
from benchmarks.speed.workloads import AVAZU_E16, Workload
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.models.build import build_ranker
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.schema import Batch
from rankelastor.training.step import Stepper

NUM_STEPS, NUM_EXAMPLES, NUM_SCORED = 5, 1024, 4096


class InFullPrecision(BinaryCrossEntropy):
    """The mean cross-entropy in the precision of the logits; ours computes it in fp32."""

    def __call__(self, logits: Tensor, batch: Batch, *, total: Tensor | float) -> Tensor:
        """Compute the share of these examples in the loss of a batch with this total weight."""
        assert batch.labels is not None
        return binary_cross_entropy_with_logits(logits, batch.labels, reduction="sum") / total


def main(
    learning_rate: Annotated[float, typer.Option(help="Adam's learning rate.")] = 1e-3,
    std: Annotated[float, typer.Option(help="Deviation of the initial embedding rows; 1e-4 as published.")] = 1e-4,
    num_rows: Annotated[int, typer.Option(help="Embedding rows of all fields.")] = 50_000,
) -> None:
    """Run both forms in both precisions from the same weights, and compare their probabilities."""
    model = disable_dropout(AVAZU_E16)
    workload = Workload("avazu", model, num_numeric=0, num_categorical=24, num_rows=num_rows, embedding_l2=0.0)
    scores = {
        (form, kind): _scores(form, workload, kind, learning_rate=learning_rate, std=std)
        for kind in (torch.float64, torch.float32)
        for form in ("naive", "ours")
    }
    exact = scores["naive", torch.float64]
    for (form, kind), found in scores.items():
        difference = (found.double() - exact).abs()
        typer.echo(
            f"{form} in {kind}: largest difference from the naive form in float64 {difference.max():.1e}, "
            f"mean {difference.mean():.1e}"
        )
    both = (scores["ours", torch.float32] - scores["naive", torch.float32]).abs()
    typer.echo(f"ours from naive, both in fp32: largest {both.max():.1e}, mean {both.mean():.1e}")


def _scores(form: str, workload: Workload, kind: torch.dtype, *, learning_rate: float, std: float) -> Tensor:
    """Train five steps from the same weights and score other examples: probabilities (example,)."""
    torch.manual_seed(3)
    naive = PublishedManner(workload.model, workload.schema)
    for layer in naive.embedding.layers:
        torch.nn.init.normal_(layer.weight[1:], std=std)
        torch.nn.init.zeros_(layer.weight[:1])
    naive = naive.to(kind)
    batches = [_batch(workload, seed, NUM_EXAMPLES, kind) for seed in range(NUM_STEPS)]
    scored = _batch(workload, 99, NUM_SCORED, kind)
    if form == "naive":
        step = PublishedStep(naive.train(), embedding_l2=0.0, learning_rate=learning_rate)
        for batch in batches:
            step.step(batch)
        with torch.no_grad():
            return naive.eval()(scored)
    ours = build_ranker(workload.model, workload.schema).to(kind).train()
    carry_over(naive, ours, workload.model, workload.schema)
    execution = ExecutionSettings(embedding_updates="dense", device="cpu")
    objective = InFullPrecision() if kind == torch.float64 else None
    stepper = Stepper(
        ours, OptimiserSettings(learning_rate=learning_rate), execution, batch_size=NUM_EXAMPLES, objective=objective
    )
    for batch in batches:
        stepper.step(batch)
    stepper.close()
    with torch.no_grad():
        return torch.sigmoid(ours.eval()(scored))[:, 0]


def _batch(workload: Workload, seed: int, num_examples: int, kind: torch.dtype) -> Batch:
    batch = workload.batch(seed, num_examples)
    assert batch.labels is not None
    return replace(batch, numeric=batch.numeric.to(kind), labels=batch.labels.to(kind))


if __name__ == "__main__":
    typer.run(main)

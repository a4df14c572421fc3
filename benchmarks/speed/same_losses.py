"""Check that both variants compute the same losses from the same weights, in fp32 without dropout."""

from __future__ import annotations

from typing import Any

import torch
from benchmarks.speed.carry_over import carry_over
from benchmarks.speed.published_manner import PublishedManner, PublishedStep
from benchmarks.speed.workloads import Workload

from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.models.build import build_ranker
from rankelastor.training.step import Stepper

NUM_STEPS = 5
LEARNING_RATE = 1e-4
TOLERANCE = 1e-5


def check_same_losses(workload: Workload, device: torch.device, *, examples: int = 1024) -> list[tuple[float, float]]:
    """Compute the losses of the first steps, (baseline, ours), and check that they agree.

    Raises:
        AssertionError: the losses differ by more than 1e-5 of the loss.
    """
    model = disable_dropout(workload.model)
    torch.manual_seed(3)
    baseline = PublishedManner(model, workload.schema).train()
    for layer in baseline.embedding.layers:
        # Adam's first step is the sign of the gradient, which depends on rounding errors for tiny embeddings.
        torch.nn.init.normal_(layer.weight[1:] if isinstance(layer, torch.nn.Embedding) else layer.weight, std=0.5)
        if isinstance(layer, torch.nn.Embedding):
            torch.nn.init.zeros_(layer.weight[:1])
    ours = build_ranker(model, workload.schema).train()
    carry_over(baseline, ours, model, workload.schema)
    baseline, ours = baseline.to(device), ours.to(device)
    theirs = PublishedStep(baseline, embedding_l2=workload.embedding_l2, learning_rate=LEARNING_RATE)
    optimiser = OptimiserSettings(embedding_l2=workload.embedding_l2, learning_rate=LEARNING_RATE)
    mine = Stepper(ours, optimiser, ExecutionSettings(), batch_size=4096)
    pairs = []
    for seed in range(NUM_STEPS):
        batch = workload.batch(seed, examples)
        pairs.append((theirs.step(batch.to(device)), mine.step(batch).item()))
    mine.close()
    for one, other in pairs:
        assert abs(one - other) <= TOLERANCE * one, f"losses must be the same, but {pairs} were computed"
    return pairs


def disable_dropout(model: Any) -> Any:
    """Copy model settings with every dropout set to 0."""
    parts = {part: getattr(model, part).model_copy(update={"dropout": 0.0}) for part in ("tokenizer", "ffn")}
    return model.model_copy(update=parts)

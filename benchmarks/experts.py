"""Measure per-token experts with 2 of 8 on beside all 8: a training step of top-k experts, and inference of both kinds.

Times are the least of alternating rounds in one process, each of the plain layer alone, without a ranker around it: of
the clock, and of the processor, which others on the machine disturb less. The ratio is 2 of 8 over 8 of 8. ReLU experts
train densely, so that only their inference is compared, with the dense form; biases of their router leave a quarter of
the gates.

    OMP_NUM_THREADS=1 python benchmarks/experts.py --batch 1024 --threads 1 --output benchmarks/reports/experts.json
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rankelastor.nn.ffn.relu_experts import ReluExperts
from rankelastor.nn.ffn.top_k_experts import TopKExperts
from rankelastor.runs.environment import describe_environment

NUM_EXPERTS, NUM_ON = 8, 2


def top_k(args: argparse.Namespace, num_active: int) -> TopKExperts:
    """Make the experts of TokenMixer-Large with so many of them on."""
    return TopKExperts(
        num_tokens=args.tokens,
        token_dim=args.dim,
        hidden_dim=args.hidden,
        num_experts=NUM_EXPERTS,
        num_active=num_active,
    )


def relu(args: argparse.Namespace, tokens: Tensor) -> ReluExperts:
    """Make the experts of RankMixer; the router's biases leave 2 of 8 gates of these tokens, on average."""
    layer = ReluExperts(
        num_tokens=args.tokens, token_dim=args.dim, hidden_dim=args.hidden, num_experts=NUM_EXPERTS, routers="one"
    ).eval()
    with torch.no_grad():
        layer.router.bias.sub_(layer.router(tokens).quantile(1 - NUM_ON / NUM_EXPERTS, dim=0))
    return layer


def infer_all(layer: ReluExperts, tokens: Tensor) -> Callable[[], None]:
    """Make a call of the dense form without gradients: all experts, whatever their gates are."""

    def call() -> None:
        with torch.no_grad():
            layer.experts.all_of(tokens, layer.router(tokens).relu())

    return call


def infer(layer: nn.Module, tokens: Tensor) -> Callable[[], None]:
    """Make a call of the layer without gradients."""

    def call() -> None:
        with torch.no_grad():
            layer(tokens)

    return call


def learn(layer: nn.Module, tokens: Tensor) -> Callable[[], None]:
    """Make a forward and a backward pass of the layer."""
    given = tokens.clone().requires_grad_()

    def call() -> None:
        layer.zero_grad()
        layer(given).sum().backward()

    return call


def measured(calls: dict[str, Callable[[], None]], rounds: int) -> dict[str, dict[str, float]]:
    """Time calls in alternating rounds; return the least milliseconds of each, by the clock and of the processor."""
    clocks = {"clock": time.perf_counter, "processor": time.process_time}
    least = {clock: dict.fromkeys(calls, float("inf")) for clock in clocks}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            starts = {clock: read() for clock, read in clocks.items()}
            call()
            for clock, read in clocks.items():
                if turn:  # the first round warms up
                    least[clock][name] = min(least[clock][name], 1000 * (read() - starts[clock]))
    return least


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    tokens = torch.randn(args.batch, args.tokens, args.dim)
    few, every = top_k(args, NUM_ON), top_k(args, NUM_EXPERTS)
    routed = relu(args, tokens)
    pairs = {
        "top-k, training": (learn(few, tokens), learn(every, tokens)),
        "top-k, inference": (infer(few, tokens), infer(every, tokens)),
        "ReLU, inference": (infer(routed, tokens), infer_all(routed, tokens)),
    }
    report: dict[str, Any] = {
        "settings": {key: value for key, value in vars(args).items() if key != "output"},
        "environment": describe_environment(torch.device("cpu")),
        "milliseconds": {},
    }
    for name, (some, all_of_them) in pairs.items():
        times = measured({"2 of 8": some, "8 of 8": all_of_them}, args.rounds)
        report["milliseconds"][name] = times
        for clock, each in times.items():
            ratio = each["2 of 8"] / each["8 of 8"]
            print(f"{name}, {clock}: {each['2 of 8']:.1f} ms, all {each['8 of 8']:.1f} ms, ratio {ratio:.2f}")
    if args.output:
        args.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

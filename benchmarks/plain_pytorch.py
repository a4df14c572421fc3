"""Is a model in our training step and Scorer as fast as the same modules in a plain loop of PyTorch?

Every kind of model of the family on Criteo-like fields (13 numbers, 26 categories with 20,000 rows in all, so that the
optimiser is no reason), and DIN with a history of 50 beside them. The plain loop calls the ranker, adds the losses of
its parts, clips with ``clip_grad_norm_`` and steps with Adam, fused; it scores a whole batch in inference mode. Both
sides in turn in one process, a copy of the ranker each; the processor time of one thread.

    python -m benchmarks.plain_pytorch                            # with kernels where layers have them
    RANKELASTOR_KERNELS=off python -m benchmarks.plain_pytorch    # no layer has a kernel: ours is eager
"""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer
from benchmarks.peer_models import PeerModel, batch_of, schema_of
from benchmarks.speed.workloads import CRITEO_E10, Workload

from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.evaluation.scoring import Scorer
from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.execution.lowering import describe_kernels
from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.schema import Batch
from rankelastor.training.step import Stepper

NUM_ROWS = 20_000
_SCHEMA = Workload("criteo", CRITEO_E10, num_numeric=13, num_categorical=26, num_rows=NUM_ROWS, embedding_l2=0.0).schema
_FIELDS: list[Mapping[str, Any]] = [
    *({"name": each.name, "kind": "numeric"} for each in _SCHEMA.numeric),
    *({"name": each.name, "kind": "categorical", "num_ids": each.num_ids} for each in _SCHEMA.categorical),
]
_CLICKS = {
    "name": "clicks", "kind": "sequence", "num_ids": _SCHEMA.categorical[-1].num_ids, "max_length": 50,
    "shares": _SCHEMA.categorical[-1].name,
}  # fmt: skip
_WIDE = [400, 400, 400]
_TOKENS = {"num_tokens": 16, "token_dim": 32, "num_blocks": 2}
_ATTENTION = {"kind": "target_attention", "hidden_dims": [64]}
MODELS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"kind": "logistic_regression", "embedding_dim": 1},
    "fm": {"kind": "fm"},
    "mlp": {"kind": "mlp", "hidden_dims": _WIDE},
    "mlp, batch norm": {"kind": "mlp", "hidden_dims": _WIDE, "batch_norm": True},
    "mlp, mean of a history": {"kind": "mlp", "hidden_dims": _WIDE},
    "deepfm": {"kind": "deepfm", "hidden_dims": _WIDE},
    "dcn_v2": {"kind": "dcn_v2", "hidden_dims": _WIDE, "structure": "parallel"},
    "dcn_v2, experts": {
        "kind": "dcn_v2", "hidden_dims": _WIDE, "structure": "parallel", "cross": {"kind": "mixture"},
    },
    "xdeepfm": {"kind": "xdeepfm", "hidden_dims": _WIDE, "cin_dims": [16, 16]},
    "autoint": {
        "kind": "autoint", "hidden_dims": _WIDE, "num_attention_layers": 2, "attention_dim": 32, "num_heads": 2,
    },
    "fibinet": {"kind": "fibinet", "hidden_dims": _WIDE},
    "finalmlp": {"kind": "finalmlp", "stream1": {"hidden_dims": _WIDE}, "stream2": {"hidden_dims": [800]}},
    "finalnet": {"kind": "finalnet", "block1": {"hidden_dims": [400, 400]}, "block2": {"hidden_dims": [400]}},
    "masknet": {"kind": "masknet", "structure": "parallel", "num_blocks": 3, "block_dim": 64, "hidden_dims": [400]},
    "wukong": {
        "kind": "wukong", "num_layers": 2, "num_factorized": 8, "num_compressed": 8, "rank": 8,
        "layer_hidden_dims": [128], "hidden_dims": [200],
    },
    "multi_embedding": {
        "kind": "multi_embedding", "num_tables": 4, "interaction": {"kind": "cross", "num_layers": 2},
        "hidden_dims": [200, 200],
    },
    "rankelastor": {
        "kind": "rankelastor", "num_tokens": 15, "token_dim": 26, "num_blocks": 1,
        "tokenizer": {"kind": "split", "hidden_dims": [500], "dropout": 0.1},
        "ffn": {"kind": "glu", "hidden_dims": [64, 64], "expansion": 3},
    },
    "rankmixer": {
        "kind": "rankmixer", **_TOKENS, "tokenizer": {"kind": "joint", "hidden_dims": [400]},
        "ffn": {"kind": "mlp", "hidden_dims": [128]},
    },
    "rankmixer_paper": {"kind": "rankmixer_paper", **_TOKENS, "expansion": 4},
    "rankup": {"kind": "rankup", **_TOKENS, "hidden_dim": 43, "num_tables": 2, "global_token": {"kind": "fm"}},
    "tokenmixer_large": {
        "kind": "tokenmixer_large", **_TOKENS, "num_heads": 4, "head_hidden_dim": 64, "token_hidden_dim": 43,
        "global_hidden_dims": [200],
    },
    "unimixer": {
        "kind": "unimixer", **_TOKENS, "tokenizer": {"kind": "joint", "hidden_dims": [400]},
        "uni_mixing": {"kind": "full", "block_dim": 32, "fall_epochs": 4}, "hidden_dim": 43, "head": {"kind": "linear"},
    },
    "din, dice": {"kind": "mlp", "hidden_dims": _WIDE, "sequence": _ATTENTION},
    "din, prelu": {"kind": "mlp", "hidden_dims": _WIDE, "sequence": {**_ATTENTION, "activation": "prelu"}},
}  # fmt: skip
"""Settings by name."""
_WITH_HISTORY = ("mlp, mean of a history", "din, dice", "din, prelu")

Actions = dict[str, Callable[[], object]]


def in_plain_pytorch(ranker: Ranker, batch: Batch) -> Actions:
    """Step and score as a plain loop does."""
    parameters = list(ranker.parameters())
    optimiser = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    loss = BinaryCrossEntropy(parts_learn_from=ranker.parts_learn_from, part_weight=ranker.part_weight)

    def step() -> float:
        ranker.train()
        optimiser.zero_grad()
        found = loss(ranker(batch), batch, total=batch.num_examples)
        found.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 10.0)
        optimiser.step()
        return found.item()

    def score() -> torch.Tensor:
        ranker.eval()
        with torch.inference_mode():
            return ranker(batch).double().sigmoid()

    return {"step": step, "scoring": score}


def in_ours(ranker: Ranker, batch: Batch) -> Actions:
    """Step and score as ``train`` and ``predict`` do."""
    execution = ExecutionSettings(device="cpu")
    stepper = Stepper(ranker, OptimiserSettings(), execution, batch_size=batch.num_examples)
    scorer = Scorer(ranker, execution, batch_size=batch.num_examples)

    def step() -> float:
        ranker.train()
        return stepper.step(batch).item()

    def score() -> object:
        ranker.eval()
        return scorer(batch)

    return {"step": step, "scoring": score}


def time_model(name: str, *, batch_size: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Time both sides in turn: seconds of the processor by action and side."""
    fields = [*_FIELDS, *([_CLICKS] if name in _WITH_HISTORY else [])]
    model = PeerModel(fields, {"embedding_dim": 10, **MODELS[name]}, "", {})
    torch.manual_seed(1)
    ranker = build_ranker(model.ours, schema_of(fields))
    batch = batch_of(fields, model.draw(batch_size), torch.float32)
    sides = {"plain": in_plain_pytorch(copy.deepcopy(ranker), batch), "ours": in_ours(ranker, batch)}
    found: dict[str, dict[str, list[float]]] = {"step": {}, "scoring": {}}
    for place in range(rounds + 2):
        for action, by_side in found.items():
            for side, actions in sides.items():
                began = time.process_time()
                actions[action]()
                if place >= 2:  # noqa: PLR2004 - the first two warm up
                    by_side.setdefault(side, []).append(time.process_time() - began)
    return found


def main(
    models: Annotated[str, typer.Option(help="Names of models, with semicolons between; empty: all.")] = "",
    rounds: Annotated[int, typer.Option(help="Rounds of the timing.")] = 11,
    batch_size: Annotated[int, typer.Option(help="Examples of a batch.")] = 4096,
    least: Annotated[float, typer.Option(help="Fail if a ratio of medians, plain over ours, is less.")] = 0.95,
    output: Annotated[Path | None, typer.Option(help="Write the seconds to this JSON file.")] = None,
) -> None:
    """Time each model and print a table."""
    torch.set_num_threads(1)
    keep_large_blocks()
    typer.echo(f"torch {torch.__version__}; kernels: {describe_kernels()}; batches of {batch_size}")
    typer.echo("| model | step: plain, ours | ratio | scoring: plain, ours | ratio |\n| --- | --- | --- | --- | --- |")
    seconds, slower = {}, []
    for name in models.split(";") if models else MODELS:
        seconds[name] = time_model(name, batch_size=batch_size, rounds=rounds)
        cells = []
        for action, by_side in seconds[name].items():
            plain, ours = (median(by_side[side]) for side in ("plain", "ours"))
            each = [one / two for one, two in zip(by_side["plain"], by_side["ours"], strict=True)]
            cells += [f"{1e3 * plain:.4g} ms, {1e3 * ours:.4g} ms"]
            cells += [f"{plain / ours:.2f} ({min(each):.2f} to {max(each):.2f})"]
            slower += [f"{name}, {action}"] * (plain / ours < least)
        typer.echo(f"| {name} | {' | '.join(cells)} |")
    if output is not None:
        output.write_text(json.dumps({"kernels": describe_kernels(), "seconds": seconds}) + "\n", encoding="utf-8")
    if slower:
        sys.exit(f"slower than plain PyTorch: {'; '.join(slower)}")


if __name__ == "__main__":
    typer.run(main)

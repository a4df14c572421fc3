"""Compare our models with FuxiCTR's: the same weights give the same logits; and their time beside each other.

FuxiCTR runs in an environment of its own (benchmarks/fuxictr-requirements.txt), and its models come from the folder
``model_zoo`` of a checkout of its version 2.3. MLP, DCNv2 (full and mixture), xDeepFM, AutoInt, FinalMLP and DIN are
compared: in float64 the logits agree within 1e-9, in fp32 within 1e-5 of the largest. ``--time`` times training steps
and scoring on Criteo-like batches of 4,096 rows (39 fields, half a million embedding rows), the two in turn, of these
models and DeepFM, and tells which share of the machine's peak our side reaches.

Example:
    python -m benchmarks.peers --fuxictr-python fuxictr-env/bin/python --model-zoo FuxiCTR/model_zoo
    python -m benchmarks.peers --fuxictr-python fuxictr-env/bin/python --model-zoo FuxiCTR/model_zoo --time
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import torch
import typer
from benchmarks.peer_models import PARITY, TIMED, PeerModel, batch_of, schema_of
from benchmarks.peer_weights import our_state
from torch import Tensor

from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.evaluation.scoring import Scorer
from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.execution.machine_peak import machine_peak
from rankelastor.models.build import build_ranker
from rankelastor.models.cost import cost_of
from rankelastor.training.step import Stepper

WORKER = Path(__file__).with_name("peers_fuxictr.py")
TOLERANCE, TOLERANCE_FP32 = 1e-9, 1e-5
BATCH_SIZE = 4096
L2 = 1e-5


class FuxiCtr:
    """The worker process with fuxictr, which answers one JSON line to each request."""

    def __init__(self, python: Path, zoo: Path, models: dict[str, PeerModel], folder: Path, *, threads: int) -> None:
        described = folder / f"models-{len(models)}.json"
        described.write_text(
            json.dumps({name: model.for_fuxictr() for name, model in models.items()}), encoding="utf-8"
        )
        command = [python, WORKER, zoo.resolve(), described, str(threads)]
        self._process = subprocess.Popen(  # noqa: S603 - the interpreter that the user names
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
        )
        self.versions = self._read()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the worker with fuxictr ended; its message stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def largest_differences(name: str, file: Path) -> dict[str, float]:
    """Compare the logits of our ranker with FuxiCTR's weights: the largest differences in float64 and in fp32."""
    arrays = dict(np.load(file))
    state = {key.removeprefix("state."): torch.from_numpy(arrays[key]) for key in arrays if key.startswith("state.")}
    model = PARITY[name]
    ranker = build_ranker(model.ours, schema_of(model.fields)).double().eval()
    ranker.load_state_dict(our_state(name, state, ranker.state_dict()))
    inputs = {key.removeprefix("in."): torch.from_numpy(arrays[key]) for key in arrays if key.startswith("in.")}
    found = {}
    with torch.no_grad():
        for kind, precise, expected in ((torch.float64, "float64", "logits"), (torch.float32, "fp32", "logits32")):
            logits = ranker.to(kind)(batch_of(model.fields, inputs, kind))[:, 0].numpy()
            found[precise] = float(np.abs(logits - arrays[expected]).max())
    return found | {"largest": float(np.abs(arrays["logits"]).max())}


def main(  # noqa: PLR0917 - options of a command line
    fuxictr_python: Annotated[Path, typer.Option(help="The Python of the environment with fuxictr.")],
    model_zoo: Annotated[Path, typer.Option(help="The folder model_zoo of a checkout of FuxiCTR 2.3.")],
    timed: Annotated[bool, typer.Option("--time", help="Time steps and scoring, too.")] = False,  # noqa: FBT002
    models: Annotated[str, typer.Option(help="Models to time, with commas between.")] = ",".join(TIMED),
    rounds: Annotated[int, typer.Option(help="Rounds of the timing.")] = 7,
    threads: Annotated[int, typer.Option(help="Threads of either side.")] = 2,
    output: Annotated[Path | None, typer.Option(help="Write the times to this JSON file.")] = None,
) -> None:
    """Compare logits, and with --time also times."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        worker = FuxiCtr(fuxictr_python.absolute(), model_zoo, PARITY, Path(folder), threads=threads)
        typer.echo(f"{worker.versions}, ours with torch {torch.__version__}")
        failed = [name for name in PARITY if not _agrees(name, worker, Path(folder) / f"{name}.npz")]
        worker.close()
        if timed:
            fuxictr = FuxiCtr(fuxictr_python.absolute(), model_zoo, TIMED, Path(folder), threads=threads)
            _time_all(fuxictr, Path(folder), names=models.split(","), rounds=rounds, output=output)
            fuxictr.close()
    if failed:
        sys.exit(f"these differ by more than {TOLERANCE}: {', '.join(failed)}")


def _agrees(name: str, worker: FuxiCtr, file: Path) -> bool:
    worker.ask(weights=name, to=str(file))
    found = largest_differences(name, file)
    typer.echo(
        f"{name}: {found['float64']:.1e} in float64, {found['fp32']:.1e} in fp32, largest logit {found['largest']:.1f}"
    )
    return found["float64"] < TOLERANCE and found["fp32"] < TOLERANCE_FP32 * max(1.0, found["largest"])


def _time_all(fuxictr: FuxiCtr, folder: Path, *, names: list[str], rounds: int, output: Path | None) -> None:
    keep_large_blocks()
    lines = {}
    peak = machine_peak(ExecutionSettings(device="cpu"), torch.device("cpu"))
    typer.echo("| model | step: FuxiCTR, ours | ratio | share of the peak | scoring: FuxiCTR, ours | ratio | share |")
    typer.echo("| --- | --- | --- | --- | --- | --- | --- |")
    for name in names:
        found = lines[name] = _time(name, fuxictr, folder, rounds=rounds)
        cost = cost_of(TIMED[name].ours, schema_of(TIMED[name].fields))
        flops = {"train": cost.training_flops_per_example, "infer": cost.flops_per_example}
        cells = []
        for action in ("train", "infer"):
            theirs, ours = (median(found[side][action]) for side in ("fuxictr", "ours"))
            ratios = [one / two for one, two in zip(found["fuxictr"][action], found["ours"][action], strict=True)]
            cells += [f"{1e3 * theirs:.0f} ms, {1e3 * ours:.0f} ms"]
            cells += [f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"]
            cells += [f"{BATCH_SIZE * flops[action] / ours / peak:.0%}"]
        typer.echo(f"| {name} | {' | '.join(cells)} |")
    if output is not None:
        text = json.dumps({"versions": fuxictr.versions, "seconds": lines}, indent=2)
        output.write_text(text + "\n", encoding="utf-8")


def _time(name: str, fuxictr: FuxiCtr, folder: Path, *, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Time both sides in turn; each round's figure is the median of three."""
    model = TIMED[name]
    inputs, file = model.draw(BATCH_SIZE), folder / f"{name}-inputs.npz"
    np.savez(file, **{key: tensor.numpy() for key, tensor in inputs.items()})
    act = _our_actions(model, inputs)
    found: dict[str, dict[str, list[float]]] = {side: {"train": [], "infer": []} for side in ("fuxictr", "ours")}
    for _ in range(rounds):
        for side, seconds in (("fuxictr", fuxictr.ask(time=name, inputs=str(file), times=3)), ("ours", act(3))):
            for action in ("train", "infer"):
                found[side][action].append(median(seconds[action]))
    return found


def _our_actions(model: PeerModel, inputs: dict[str, Tensor]) -> Any:
    torch.manual_seed(1)
    ranker = build_ranker(model.ours, schema_of(model.fields))
    execution = ExecutionSettings(device="cpu")
    stepper = Stepper(ranker, OptimiserSettings(embedding_l2=L2), execution, batch_size=BATCH_SIZE)
    scorer = Scorer(ranker, execution, batch_size=BATCH_SIZE)
    batch = batch_of(model.fields, inputs, torch.float32)

    def act(times: int) -> dict[str, list[float]]:
        seconds: dict[str, list[float]] = {"train": [], "infer": []}
        for place in range(times + 2):
            ranker.train()
            began = time.perf_counter()
            stepper.step(batch).item()
            middle = time.perf_counter()
            ranker.eval()
            scorer(batch)
            ended = time.perf_counter()
            if place >= 2:  # noqa: PLR2004 - the first two warm up
                seconds["train"].append(middle - began)
                seconds["infer"].append(ended - middle)
        return seconds

    return act


if __name__ == "__main__":
    typer.run(main)

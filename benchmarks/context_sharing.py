"""What a ranking can share among its candidates, and the time it saves, model by model.

``python -m benchmarks.context_sharing`` scores 500 candidates of one context on one core, with the fields of Criteo of
which the first half is the context, and random weights. Beside the whole it measures what of it depends on the context
in part and can be shared exactly:

- *look-up*: the rows of context fields are looked up once and repeated, instead of once per candidate.
- *first layers*: a linear map of the flat fields is W x = W_context x_context + W_candidate x_candidate, whose first
  term is the same for all candidates. Layers are found by running the model: those whose input is the fields
  themselves. Whatever stands behind a norm over all fields, or an activation, is different for each candidate.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from benchmarks.serving.bodies import ranking
from benchmarks.serving.criteo_bundle import FOLDER, criteo_bundle
from benchmarks.serving.in_process import medians_ms
from benchmarks.speed.workloads import WORKLOADS
from torch import Tensor, nn
from torch.nn import functional

from rankelastor.config.execution import ExecutionSettings
from rankelastor.evaluation.scoring import Scorer
from rankelastor.models.build import build_ranker
from rankelastor.models.catalogue import MODELS
from rankelastor.models.ranker import Ranker
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.schema import Batch
from rankelastor.service.model import ServedModel

_WORKLOAD = "criteo-e10-0.5M"
_REPEATS = 15
_LEAST_MS = 0.1
_CONTEXT_IDS = 7  # and all numbers: about half of the fields
_DEEP = {"hidden_dims": [400, 400, 400]}
_TOKENS = {"num_tokens": 15, "token_dim": 26, "num_blocks": 2}
_SIZES: dict[str, dict[str, Any]] = {
    "mlp": _DEEP,
    "dcn_v2": {"structure": "parallel", "num_cross_layers": 3, "hidden_dims": [500, 500, 500]},
    "logistic_regression": {},
    "fm": {},
    "deepfm": _DEEP,
    "xdeepfm": _DEEP,
    "autoint": {},
    "finalmlp": {"stream1": _DEEP, "stream2": {"hidden_dims": [1000]}, "num_heads": 200},
    "finalnet": {"block1": {"hidden_dims": [400, 400]}, "block2": {"hidden_dims": [400, 400]}, "field_gate": True},
    "masknet": {"structure": "serial", **_DEEP, "ratio": 0.2, "field_norm": False},
    "fibinet": {"bilinear": "pair", "reduction": 12, **_DEEP},
    "rankmixer_paper": {**_TOKENS, "token_dim": 30},
    "rankup": {"num_tokens": 8, "token_dim": 24, "num_blocks": 2, "hidden_dim": 48, "tower_dims": [64]},
    "wukong": {**_DEEP, "num_factorized": 16, "num_compressed": 16, "rank": 8, "layer_hidden_dims": [256]},
    "multi_embedding": {**_DEEP, "num_tables": 2},
}
"""Sizes of about the published ones on Criteo, where those are known."""


@dataclass(frozen=True)
class Shared:
    """Milliseconds of scoring one ranking with one model.

    Attributes:
        model: kind of the model.
        encode: encoding the rows in full.
        encode_once: the same with the context encoded once.
        score: scoring what is encoded.
        look_up: the look-up of all rows.
        look_up_shared: the same with those of the context looked up once.
        first: the linear maps that read the fields themselves; 0 if there are none.
        first_shared: the same with the context's part computed once.
    """

    model: str
    encode: float
    encode_once: float
    score: float
    look_up: float
    look_up_shared: float
    first: float
    first_shared: float

    def line(self) -> str:
        """Write it as a row in Markdown, with the share of the whole that each way to share saves."""
        parts = [
            self._part(self.encode, self.encode_once),
            self._part(self.look_up, self.look_up_shared),
            self._part(self.first, self.first_shared) if self.first > _LEAST_MS else "none",
        ]
        return f"| `{self.model}` | {self.encode + self.score:.1f} | {' | '.join(parts)} |"

    def _part(self, each: float, once: float) -> str:
        return f"{each:.2f} → {once:.2f} ({100 * (each - once) / (self.encode + self.score):+.0f} %)"


def measure(kind: str, batch: Batch, encoding: dict[str, float]) -> Shared:
    """Measure one model."""
    workload = WORKLOADS[_WORKLOAD]
    torch.manual_seed(1)
    ranker = build_ranker(settings_of(kind), workload.schema).eval()
    scorer = Scorer(ranker, ExecutionSettings(), batch_size=8192)
    rows = ranker.embedding.rows_of(batch)
    is_context = torch.arange(rows.shape[1]) < _CONTEXT_IDS
    linears = first_linears(ranker, batch)
    flat = ranker.embedding(batch).fields.detach().flatten(1)
    width = flat.shape[1] // (batch.numeric.shape[1] + rows.shape[1])
    context = torch.arange(flat.shape[1]) < width * (batch.numeric.shape[1] + _CONTEXT_IDS)
    parts = [(each, each.weight[:, context], each.weight[:, ~context]) for each in linears]
    ways: dict[str, Callable[[], Any]] = {
        "score": lambda: scorer.logits(batch),
        "look_up": lambda: ranker.embedding.look_up(rows),
        "look_up_shared": lambda: looked_up_once(ranker, rows, is_context),
        "first": lambda: [each(flat) for each in linears],
        "first_shared": lambda: [computed_once(flat, context, *each) for each in parts],
    }
    with torch.inference_mode():
        for each, of_context, of_candidate in parts:
            found = computed_once(flat, context, each, of_context, of_candidate)
            assert torch.allclose(found, each(flat), atol=1e-4), "sharing is exact but for rounding"
        return Shared(kind, **encoding, **medians_ms(ways, repeats=_REPEATS))


def settings_of(kind: str) -> RankerSettings:
    """Make the settings of a model."""
    known = {"rankelastor": "criteo-e10-0.5M", "rankmixer": "criteo-e20-rankmixer-0.5M"}
    if kind in known:
        return WORKLOADS[known[kind]].model
    settings = next(each for each in MODELS if kind_of(each) == kind)
    width = {} if kind == "logistic_regression" else {"embedding_dim": 10}
    return settings.model_validate({"kind": kind, **width, **_SIZES[kind]})


def kind_of(settings: type[Any]) -> str:
    """Return the value of ``kind`` of a model's settings."""
    (name,) = settings.model_fields["kind"].annotation.__args__
    return str(name)


def encoding_ms(bundle: Path, num_candidates: int) -> dict[str, float]:
    """Measure the encoding of a ranking, in full and with the context once."""
    model = ServedModel(bundle)
    asked = ranking(model, num_candidates)
    rows = asked.rows
    return medians_ms(
        {
            "encode": lambda: model.encode(rows),
            "encode_once": lambda: model.encode(asked.candidates, context=asked.context),
        },
        repeats=_REPEATS,
    )


def looked_up_once(ranker: Ranker, rows: Tensor, is_context: Tensor) -> Tensor:
    """Look the rows of the context up once."""
    once = ranker.embedding.look_up(rows[:1, is_context]).expand(len(rows), -1, -1)
    return torch.cat([once, ranker.embedding.look_up(rows[:, ~is_context])], dim=1)


def computed_once(flat: Tensor, context: Tensor, linear: nn.Linear, of_context: Tensor, of_candidate: Tensor) -> Tensor:
    """Compute a linear map with the context's part once."""
    once = functional.linear(flat[:1, context], of_context, linear.bias)
    return torch.addmm(once, flat[:, ~context], of_candidate.t())


def first_linears(ranker: Ranker, batch: Batch) -> list[nn.Linear]:
    """Find the linear maps whose input is the flat fields, by running the model."""
    found: list[nn.Linear] = []
    places: list[int] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].data_ptr() in places and inputs[0].shape[-1] == module.in_features:
            found.append(module)  # type: ignore[arg-type]

    hooks = [each.register_forward_pre_hook(note) for each in ranker.network.modules() if isinstance(each, nn.Linear)]
    with torch.inference_mode():
        embedded = ranker.embedding(batch)
        places.append(embedded.fields.data_ptr())
        ranker.network(embedded)
    for hook in hooks:
        hook.remove()
    return [each for each in found if each.in_features == embedded.fields[0].numel()]


def main(
    candidates: Annotated[int, typer.Option(help="Number of candidates.")] = 500,
    folder: Annotated[Path, typer.Option(help="Where the bundle like Criteo's is made and kept.")] = FOLDER,
    report: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    batch = WORKLOADS[_WORKLOAD].batch(1, num_examples=candidates)
    ids, numbers = batch.categorical.clone(), batch.numeric[:1].expand_as(batch.numeric).contiguous()
    ids[:, :_CONTEXT_IDS] = ids[:1, :_CONTEXT_IDS]
    batch = Batch(categorical=ids, numeric=numbers, labels=None, group=None)
    encoding = encoding_ms(criteo_bundle(folder), candidates)
    typer.echo("| model | whole, ms | encoding | look-up | first layers |\n| --- | --- | --- | --- | --- |")
    found = []
    for kind in ("rankelastor", "rankmixer", *_SIZES):
        found.append(measure(kind, batch, encoding))
        typer.echo(found[-1].line())
    if report is not None:
        report.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)

"""A plain service beside ours: FastAPI, and the published model in eager PyTorch, as one writes it in an afternoon.

Texts become ids by a dictionary of each field, rows become one tensor, and a request is scored by itself. Weights are
random: their values do not change the speed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import uvicorn
from benchmarks.speed.published_manner import PublishedManner
from fastapi import FastAPI
from pydantic import BaseModel

from rankelastor.models.mixer import MixerSettings
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.schema import Batch

Value = str | float | None


class RankRequest(BaseModel):
    """One context with candidates."""

    context: dict[str, Value]
    candidates: list[dict[str, Value]]


class PlainRanker:
    """Encodes and scores rows.

    Args:
        run: the run whose columns, vocabularies and sizes are taken.
    """

    def __init__(self, run: LoadedRun) -> None:
        settings, encoder = run.recipe.model, run.encoder
        assert isinstance(settings, MixerSettings), "the published manner knows mixers"
        torch.manual_seed(1)
        self._model = PublishedManner(settings, encoder.schema).eval()
        specs = encoder.manifest.features
        self._numbers = [spec.column for spec in specs if spec.name not in encoder.vocabularies]
        self._ids = {
            spec.column: {text: index for index, text in enumerate(encoder.vocabularies[spec.name].values, start=1)}
            for spec in specs
            if spec.name in encoder.vocabularies
        }

    def score(self, rows: list[dict[str, Any]]) -> torch.Tensor:
        """Compute the probability of each row."""
        ids = [[known.get(row[name] or "", len(known) + 1) for name, known in self._ids.items()] for row in rows]
        numbers = [[float(row[name] or 0.0) for name in self._numbers] for row in rows]
        batch = Batch(categorical=torch.tensor(ids), numeric=torch.tensor(numbers), labels=None, group=None)
        with torch.no_grad():
            probability: torch.Tensor = self._model(batch)
        return probability


def plain_app(ranker: PlainRanker) -> FastAPI:
    """Make the application."""
    app = FastAPI()

    @app.post("/v1/rank")
    def rank(request: RankRequest) -> dict[str, Any]:
        probability = ranker.score([request.context | each for each in request.candidates])
        order = torch.argsort(probability, descending=True)
        return {"order": order.tolist(), "probabilities": probability[order].tolist()}

    return app


if __name__ == "__main__":
    torch.set_num_threads(1)
    application = plain_app(PlainRanker(load_run(Path(sys.argv[1]))))
    uvicorn.run(application, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")

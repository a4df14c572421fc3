"""The page at ``/``: try rows, see which field moved the probability, rank pasted candidates."""

from __future__ import annotations

import json
from importlib.resources import files

from rankelastor.service.model import ServedModel

_FACTS = "/*facts*/null"


def page_of(model: ServedModel) -> str:
    """Write the page for a model, with the most frequent values of its fields."""
    facts = {
        "name": model.run.recipe.name,
        "model": model.run.recipe.model.kind,
        "tasks": list(model.tasks),
        "columns": list(model.requests.columns),
        "values": model.frequent_values,
        "example": json.loads(json.dumps(next(iter(model.example_rows), {}), default=str)),
    }
    text = json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c")
    page = files("rankelastor.service").joinpath("page.html").read_text(encoding="utf-8")
    return page.replace(_FACTS, text, 1)

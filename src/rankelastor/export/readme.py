"""The README of an exported folder: what is in it, and the few lines that score with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CODE = {
    "onnx": """\
import numpy as np
import onnxruntime

from encode import Encoder

encoder = Encoder.load("encoding.json")
session = onnxruntime.InferenceSession("model.onnx")
types = {{each["name"]: each["type"] for each in encoder.encoding["inputs"]}}


def score(rows):
    inputs = {{name: np.array(values, types[name]) for name, values in encoder.encode(rows).items()}}
    return session.run(["probability"], inputs)[0]
""",
    "pt2": """\
import torch

from encode import Encoder

encoder = Encoder.load("encoding.json")
program = {load}
types = {{each["name"]: getattr(torch, each["type"]) for each in encoder.encoding["inputs"]}}


def score(rows):
    inputs = {{name: torch.tensor(values, dtype=types[name]) for name, values in encoder.encode(rows).items()}}
    return program(**inputs).detach().numpy()
""",
}
_LOADS = {
    "pt2": 'torch.export.load("model.pt2").module()',
    "aoti": 'torch._inductor.aoti_load_package("model.aoti.pt2")',
}
_NATIVE = (
    "`model.aoti.pt2` holds native code that runs when it is loaded: load it only if you trust where it comes from. It "
    "runs on processors like the one that it was made on, with the same version of PyTorch."
)


def readme_text(facts: Mapping[str, Any]) -> str:
    """Write the README of an export from what ``export.json`` tells."""
    form = facts["format"]
    code = _CODE["onnx" if form == "onnx" else "pt2"].format(load=_LOADS.get(form, ""))
    parts = [f"# {facts['name']}", _origin(facts), _files(facts), f"```python\n{code}```", _use(facts), _check(facts)]
    return "\n\n".join([*parts, *([_NATIVE] if form == "aoti" else [])]) + "\n"


def _origin(facts: Mapping[str, Any]) -> str:
    tasks, made_by = ", ".join(facts["tasks"]), facts["versions"]["rankelastor"]
    return f"A {facts['model']} exported by rankelastor {made_by}: rows -> the probability of {tasks}."


def _use(facts: Mapping[str, Any]) -> str:
    inputs = ", ".join(f"`{each['name']}` (batch, {each['width']}) of {each['type']}" for each in facts["inputs"])
    return (
        "`score` takes rows, dicts of column -> cell, and returns a row of calibrated probabilities for each, a column "
        f"per task. The inputs of the graph are {inputs}; the batch has any size from 1."
    )


def _check(facts: Mapping[str, Any]) -> str:
    checked = facts["checked"]
    sizes = ", ".join(map(str, checked["batch_sizes"]))
    return (
        f"When it was made, {checked['num_rows']} {checked['rows']} rows had the ranker's probabilities within "
        f"{max(checked['largest_difference'], 1e-12):.0e} in batches of {sizes}. It computes in float32."
    )


def _files(facts: Mapping[str, Any]) -> str:
    what = {
        "encoding.json": "how columns become ids and numbers, with the vocabularies"
        + (", hashed" if facts["hashed_vocabularies"] else ""),
        "encode.py": "a reference encoder that needs Python alone; as a program, lines of JSON -> inputs",
        "export.json": "the facts of this page for programs, with checksums",
        facts["file"]: "the graph: embeddings, network, calibration",
    }
    return "\n".join(f"- `{name}`: {words}" for name, words in what.items())

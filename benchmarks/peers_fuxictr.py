"""Worker of peers.py, run by the Python with fuxictr: FuxiCTR's models with given settings on given inputs.

Its model zoo is not part of the package: MODEL_ZOO is the folder ``model_zoo`` of a checkout of FuxiCTR 2.3. A request
is one JSON line on standard input; the answer is one JSON line.

- ``{"weights": NAME, "to": FILE}`` draws weights and inputs, and writes them to FILE (npz) with the logits in float64
  and in float32.
- ``{"time": NAME, "inputs": FILE, "times": N}`` times N training steps and N scorings of the inputs of FILE (npz).
"""

# ruff: noqa: T201 - a script that answers on standard output

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections import OrderedDict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuxictr.features import FeatureMap

COMMON = {"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["AUC"], "verbose": 0, "model_root": "."}
FILES = {name: f"{name}/src/{name}.py" for name in ("DCNv2", "xDeepFM", "AutoInt", "FinalMLP", "DIN")}
FILES |= {name: f"{name}/{name}_torch/src/{name}.py" for name in ("DNN", "DeepFM")}


def main() -> None:
    """Answer requests until the input ends."""
    zoo, models = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    torch.set_num_threads(int(sys.argv[3]))
    print(json.dumps({name: version(name) for name in ("fuxictr", "torch", "numpy")}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        name = request.get("weights") or request["time"]
        answer = draw(zoo, models[name], request["to"]) if "weights" in request else clock(zoo, models[name], request)
        print(json.dumps(answer), flush=True)


def build(zoo: Path, settings: dict[str, Any]) -> Any:
    """Build a model of the zoo for the fields of its settings."""
    features = FeatureMap("peers", ".")
    features.features = OrderedDict((each["name"], field_of(each)) for each in settings["fields"])
    features.labels = ["label"]
    features.num_fields = features.get_num_fields()
    features.default_emb_dim = settings["settings"]["embedding_dim"]
    features.set_column_index()
    spec = importlib.util.spec_from_file_location(settings["model"], zoo / FILES[settings["model"]])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = {key: tuple(value) if key.startswith("din_") else value for key, value in settings["settings"].items()}
    model = getattr(module, settings["model"])(features, **COMMON, **given)
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear) and layer.in_features == 1:
            layer.register_forward_pre_hook(lambda each, given: (given[0].to(each.weight.dtype),))
    model._max_gradient_norm = 10.0  # noqa: SLF001 - set by `fit`, which is not called
    return model


def field_of(field: dict[str, Any]) -> dict[str, Any]:
    """Describe a field as FuxiCTR's feature map does."""
    if field["kind"] == "numeric":
        return {"source": "", "type": "numeric"}
    spec = {"source": "", "type": field["kind"], "padding_idx": 0, "vocab_size": field["num_ids"]}
    if field["kind"] == "sequence":
        spec |= {"max_len": field["max_length"], "share_embedding": field["shares"]}  # pooled by DIN's attention
    return spec


def draw(zoo: Path, settings: dict[str, Any], file: str) -> dict[str, Any]:
    """Draw weights and inputs, and write them with the logits."""
    torch.manual_seed(5)
    model = build(zoo, settings)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.normal_(std=0.3)
        if name.endswith("running_var"):
            tensor.abs_().add_(0.5)
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            module.weight.data[0] = 0
    share_contexts(model.state_dict())
    inputs = {each["name"]: draw_field(each) for each in settings["fields"]}
    model.eval()
    arrays = {f"state.{name}": tensor.numpy() for name, tensor in model.double().state_dict().items()}
    arrays |= {f"in.{name}": tensor.numpy() for name, tensor in inputs.items()}
    arrays["logits"] = logits_of(model, {name: as_type(each, torch.float64) for name, each in inputs.items()})
    model.float()
    arrays["logits32"] = logits_of(model, {name: as_type(each, torch.float32) for name, each in inputs.items()})
    np.savez(file, **arrays)
    return {"parameters": sum(each.numel() for each in model.parameters())}


def share_contexts(state: dict[str, torch.Tensor]) -> None:
    """Give FinalMLP's contexts, which have tables of their own there, the rows of the embeddings, as they have here."""
    for name, tensor in state.items():
        if "_ctx_emb." in name:
            tensor.copy_(state[f"embedding_layer.{name.split('_ctx_emb.')[1]}"])


def draw_field(field: dict[str, Any], rows: int = 64) -> torch.Tensor:
    """Draw the inputs of a field; sequences are padded on the left."""
    if field["kind"] == "numeric":
        return torch.randn(rows).double()  # exact in fp32, to which FuxiCTR converts numbers
    if field["kind"] == "categorical":
        return torch.randint(0, field["num_ids"], (rows,))
    ids = torch.randint(1, field["num_ids"], (rows, field["max_length"]))
    lengths = torch.randint(0, field["max_length"] + 1, (rows, 1))
    return ids * (torch.arange(field["max_length"]) >= field["max_length"] - lengths)


def as_type(tensor: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """Convert numbers; ids stay as they are."""
    return tensor.to(kind) if tensor.is_floating_point() else tensor


def logits_of(model: Any, inputs: dict[str, torch.Tensor]) -> np.ndarray[Any, Any]:
    """Compute the logits: what enters the sigmoid at the end."""
    found: list[torch.Tensor] = []
    sigmoid = model.output_activation
    hook = sigmoid.register_forward_hook(lambda _module, given, _out: found.append(given[0].detach().clone()))
    with torch.no_grad():
        model(inputs)
    hook.remove()
    return found[-1].squeeze(1).numpy()


def clock(zoo: Path, settings: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Time training steps and scorings."""
    torch.manual_seed(1)
    model = build(zoo, settings)
    arrays = np.load(request["inputs"])
    inputs = {name: as_type(torch.from_numpy(arrays[name]), torch.float32) for name in arrays.files}
    seconds: dict[str, list[float]] = {"train": [], "infer": []}
    for place in range(request["times"] + 2):
        model.train()
        began = time.perf_counter()
        model.train_step(inputs).item()
        middle = time.perf_counter()
        model.eval()
        with torch.no_grad():
            model(inputs)["y_pred"].numpy()
        ended = time.perf_counter()
        if place >= 2:  # noqa: PLR2004 - the first two warm up
            seconds["train"].append(middle - began)
            seconds["infer"].append(ended - middle)
    return seconds


if __name__ == "__main__":
    main()

"""Sequence layers written out with loops over numbers, one example at a time."""

from __future__ import annotations

import math
from typing import Any

import torch
from tests.models.loops import Matrix, Vector, added, dot, linear, normalised, relu, softmax, times

from rankelastor.nn.sequence.layer import SequenceLayer


def silu(vector: Vector) -> Vector:
    return [value / (1 + math.exp(-value)) for value in vector]


def normed(norm: Any, vector: Vector) -> Vector:
    return added(times(norm.weight.tolist(), normalised(vector)), norm.bias.tolist())


def heads(vector: Vector, num_heads: int) -> Matrix:
    width = len(vector) // num_heads
    return [vector[head * width : (head + 1) * width] for head in range(num_heads)]


def examples() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Elements, mask and target of a full, a short and an empty history."""
    torch.manual_seed(3)
    mask = torch.tensor([[True, True, True], [False, False, True], [False, False, False]])
    elements = torch.randn(3, 3, 4, dtype=torch.float64) * mask.unsqueeze(2)
    return elements, mask, torch.randn(3, 4, dtype=torch.float64)


def scattered(layer: SequenceLayer) -> Any:
    """The layer in float64 and evaluation, with every parameter away from its initial value."""
    for parameter in layer.double().parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return layer.eval()


def target_attention(layer: Any, elements: Matrix, mask: list[bool], target: Vector) -> Matrix:
    scores = []
    for h in elements:
        x = [*target, *h, *[q - value for q, value in zip(target, h, strict=True)], *times(target, h)]
        for module in layer.unit:
            if isinstance(module, torch.nn.Linear):
                x = linear(module, x)
            elif isinstance(module, torch.nn.PReLU):
                x = [v if v > 0 else a * v for v, a in zip(x, module.weight.tolist(), strict=True)]
            else:
                gate = [1 / (1 + math.exp(-v / math.sqrt(1 + 1e-9))) for v in x]
                x = [p * v + a * (1 - p) * v for p, v, a in zip(gate, x, module.alpha.tolist(), strict=True)]
        scores.append(x[0])
    real = [place for place, is_real in enumerate(mask) if is_real]
    weights = dict(zip(real, softmax([scores[place] for place in real]), strict=True)) if layer.softmax else scores
    return [[weights[place] * v if mask[place] else 0.0 for v in h] for place, h in enumerate(elements)]


def transformer(encoder: Any, elements: Matrix, mask: list[bool], target: Vector) -> Matrix:
    places, real = [*elements, target], [*mask, True]
    for layer in encoder.layers:
        x = [normed(layer.attention_norm, place) for place in places]
        queries, keys, values = (
            [heads(linear(each, v), layer.num_heads) for v in x] for each in (layer.query, layer.key, layer.value)
        )
        seen = [place for place, is_real in enumerate(real) if is_real]
        attended = []
        for query in queries:
            row: Vector = []
            for head, q in enumerate(query):
                weights = softmax([dot(q, keys[place][head]) / math.sqrt(len(q)) for place in seen])
                row += added(*([w * v for v in values[p][head]] for w, p in zip(weights, seen, strict=True)))
            attended.append(linear(layer.out, row))
        places = [added(*pair) for pair in zip(places, attended, strict=True)]
        places = [added(p, linear(layer.ffn[3], relu(linear(layer.ffn[0], normed(layer.ffn_norm, p))))) for p in places]
    return [normed(encoder.norm, place) for place in places]


def hstu(encoder: Any, elements: Matrix, mask: list[bool], target: Vector) -> Matrix:
    places, real = [*elements, target], [*mask, True]
    for layer in encoder.layers:
        parts = [heads(silu(linear(layer.maps, normed(layer.norm, place))), 4) for place in places]
        bias, out = layer.bias.tolist(), []
        for i, (gate, _, query, _) in enumerate(parts):
            row: Vector = []
            for head in range(layer.num_heads):
                total = [0.0] * (len(gate) // layer.num_heads)
                for j in range(i + 1):
                    if real[j]:
                        value, key = (heads(parts[j][index], layer.num_heads)[head] for index in (1, 3))
                        score = layer.factor * dot(heads(query, layer.num_heads)[head], key) + bias[i - j]
                        total = added(total, [silu([score])[0] / len(places) * v for v in value])
                row += total
            out.append(added(linear(layer.out, times(normed(layer.attended_norm, row), gate)), places[i]))
        places = out
    return places

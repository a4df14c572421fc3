"""Layers written out with loops over numbers, for naive references of whole models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Vector = list[float]
Matrix = list[Vector]


def dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def times(left: Sequence[float], right: Sequence[float]) -> Vector:
    return [a * b for a, b in zip(left, right, strict=True)]


def added(*vectors: Sequence[float]) -> Vector:
    return [sum(values) for values in zip(*vectors, strict=True)]


def flat(matrix: Sequence[Sequence[float]]) -> Vector:
    return [value for row in matrix for value in row]


def relu(vector: Sequence[float]) -> Vector:
    return [max(0.0, value) for value in vector]


def softmax(vector: Sequence[float]) -> Vector:
    powers = [math.exp(value) for value in vector]
    return [power / sum(powers) for power in powers]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def normalised(vector: Sequence[float], epsilon: float = 1e-5) -> Vector:
    mean = sum(vector) / len(vector)
    variance = sum((value - mean) ** 2 for value in vector) / len(vector)
    return [(value - mean) / math.sqrt(variance + epsilon) for value in vector]


def scaled(norm: Any, vector: Sequence[float]) -> Vector:
    """gain * vector + bias of a norm."""
    gained = times(norm.weight.tolist(), vector)
    return gained if getattr(norm, "bias", None) is None else added(gained, norm.bias.tolist())


def layer_norm(norm: Any, vector: Sequence[float]) -> Vector:
    return scaled(norm, normalised(vector))


def rms_norm(norm: Any, vector: Sequence[float]) -> Vector:
    mean_square = sum(value * value for value in vector) / len(vector)
    return scaled(norm, [value / math.sqrt(mean_square + 1e-12) for value in vector])


def batch_norm(norm: Any, vector: Sequence[float]) -> Vector:
    """A batch norm in evaluation."""
    means, variances = norm.running_mean.tolist(), norm.running_var.tolist()
    values = zip(vector, means, variances, strict=True)
    return scaled(norm, [(value - mean) / math.sqrt(variance + 1e-5) for value, mean, variance in values])


def linear(layer: Any, x: Sequence[float]) -> Vector:
    """W x + b of an ``nn.Linear``."""
    bias = [0.0] * layer.out_features if layer.bias is None else layer.bias.tolist()
    return [dot(row, x) + b for row, b in zip(layer.weight.tolist(), bias, strict=True)]


def multiplied(x: Sequence[float], matrix: Matrix) -> Vector:
    """x W, with W as rows of inputs."""
    return [dot(x, [row[column] for row in matrix]) for column in range(len(matrix[0]))]


def hidden(layers: Any, x: Sequence[float]) -> Vector:
    """Hidden layers with ReLU and nothing else."""
    for layer in layers:
        x = relu(linear(layer.linear, x))
    return list(x)


def mlp(projection: Any, x: Sequence[float]) -> Vector:
    """A ``Projection`` with ReLU and nothing else."""
    return linear(projection.out, hidden(projection.layers, x))

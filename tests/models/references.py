"""Whole models as loops over numbers: settings -> the logits of one example's rows of the embedding table."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from tests.models.loops import (
    Matrix,
    Vector,
    added,
    batch_norm,
    dot,
    flat,
    hidden,
    layer_norm,
    linear,
    mlp,
    multiplied,
    normalised,
    relu,
    sigmoid,
    softmax,
    times,
)

WIDTH = 4
"""Width of an embedding; columns behind it are weights of first order."""


def split(rows: Matrix) -> tuple[Matrix, float]:
    """The embeddings, and the sum of the weights of first order."""
    return [row[:WIDTH] for row in rows], sum(row[WIDTH] for row in rows)


def logistic_regression(network: Any, rows: Matrix) -> Vector:
    return [sum(row[0] for row in rows) + network.first_order.bias.item()]


def fm(network: Any, rows: Matrix) -> Vector:
    fields, weights = split(rows)
    return [network.first_order.bias.item() + weights + sum(dot(*pair) for pair in combinations(fields, 2))]


def deepfm(network: Any, rows: Matrix) -> Vector:
    fields, weights = split(rows)
    pairs = sum(dot(*pair) for pair in combinations(fields, 2))
    return [weights + pairs + mlp(network.deep, flat(fields))[0]]


def cin(network: Any, fields: Matrix) -> Vector:
    x, sums = fields, []
    for layer in network.layers:
        weight, bias = layer.linear.weight.tolist(), layer.linear.bias.tolist()
        rows = []
        for out in range(layer.linear.out_features):
            row = [bias[out]] * WIDTH
            for i, first in enumerate(fields):
                for j, other in enumerate(x):
                    factor = weight[out][i * len(x) + j]
                    row = added(row, [factor * value for value in times(first, other)])
            rows.append(row)
        x = rows
        sums += [sum(row) for row in x]
    return sums


def xdeepfm(network: Any, rows: Matrix) -> Vector:
    fields, weights = split(rows)
    return [weights + linear(network.cin_out, cin(network.cin, fields))[0] + mlp(network.deep, flat(fields))[0]]


def attention(layer: Any, fields: Matrix) -> Matrix:
    queries, keys, values = ([linear(each, v) for v in fields] for each in (layer.query, layer.key, layer.value))
    head_dim = len(queries[0]) // layer.num_heads
    out = []
    for place, query in enumerate(queries):
        row: Vector = []
        for start in range(0, len(query), head_dim):
            part = slice(start, start + head_dim)
            weights = softmax([layer.factor * dot(query[part], key[part]) for key in keys])
            terms = ([weight * v for v in value[part]] for weight, value in zip(weights, values, strict=True))
            row += added(*terms)
        wide = linear(layer.widen, fields[place]) if hasattr(layer.widen, "weight") else fields[place]
        row = added(row, wide)
        out.append(relu(layer_norm(layer.norm, row) if hasattr(layer.norm, "weight") else row))
    return out


def autoint(network: Any, rows: Matrix) -> Vector:
    attended = rows
    for layer in network.attention:
        attended = attention(layer, attended)
    logits = linear(network.out, flat(attended))
    return logits if network.deep is None else added(logits, mlp(network.deep, flat(rows)))


def finalmlp(network: Any, rows: Matrix) -> Vector:
    x, streams = flat(rows), []
    for gate, stream in zip(network.gates, network.streams, strict=True):
        context = flat([rows[place] for place in gate.places]) if gate.learned is None else gate.learned[0].tolist()
        factors = [2 * sigmoid(value) for value in mlp(gate.mlp, context)]
        streams.append(hidden(stream, times(x, factors)))
    first, second = streams
    fusion = network.fusion
    heads, _, second_dim = fusion.weight.shape
    first_dim = len(first) // heads
    total = linear(fusion.first, first)[0] + linear(fusion.second, second)[0]
    for head in range(heads):
        ours = first[head * first_dim : (head + 1) * first_dim]
        theirs = second[head * second_dim : (head + 1) * second_dim]
        total += dot(multiplied(ours, fusion.weight[head].tolist()), theirs)
    return [total]


def final_block(block: Any, x: Vector) -> Vector:
    *layers, out = block
    for layer in layers:
        both = linear(layer.interaction.linear, x)
        kept, factor = both[: len(both) // 2], both[len(both) // 2 :]
        x = [*kept, *times(kept, factor)]
        if hasattr(layer.norm, "running_mean"):
            x = batch_norm(layer.norm, x)
        x = relu(x)
    return linear(out, x)


def finalnet(network: Any, rows: Matrix) -> Vector:
    gated = rows
    if network.gate is not None:
        columns = [[row[column] for row in rows] for column in range(WIDTH)]
        gates = [linear(network.gate.linear, column) for column in columns]
        scaled = [[value * gates[c][f] for c, value in enumerate(row)] for f, row in enumerate(rows)]
        gated = [*rows, *scaled]
    logits = [final_block(block, flat(x)) for block, x in zip(network.blocks, (gated, rows), strict=False)]
    return [sum(each[0] for each in logits) / len(logits)]


def mask_block(block: Any, embedded: Vector, x: Vector) -> Vector:
    mask = linear(block.mask, relu(linear(block.aggregate, embedded)))
    return relu(layer_norm(block.norm, linear(block.linear, times(mask, x))))


def masknet(network: Any, rows: Matrix) -> Vector:
    norm = network.norm
    gained = [times(gain, normalised(row)) for gain, row in zip(norm.weight.tolist(), rows, strict=True)]
    embedded, x = flat(rows), added(flat(gained), flat(norm.bias.tolist()))
    if network.parallel:
        return mlp(network.out, flat([mask_block(block, embedded, x) for block in network.blocks]))
    for block in network.blocks:
        x = mask_block(block, embedded, x)
    return linear(network.out, x)


def bilinear(pairs: Any, fields: Matrix) -> Vector:
    maps = pairs.weight.tolist()
    products: list[float] = []
    for place, (i, j) in enumerate(combinations(range(len(fields)), 2)):
        matrix = maps[{"pair": place, "field": i, "all": 0}[pairs.share]]
        products += times(multiplied(fields[i], matrix), fields[j])
    return products


def fibinet(network: Any, rows: Matrix) -> Vector:
    fields, weights = split(rows)
    means = [sum(row) / WIDTH for row in fields]
    importance = relu(linear(network.squeeze.excite, relu(linear(network.squeeze.squeeze, means))))
    scaled = [[factor * value for value in row] for factor, row in zip(importance, fields, strict=True)]
    products = [*bilinear(network.pairs[0], fields), *bilinear(network.pairs[1], scaled)]
    return [weights + mlp(network.deep, products)[0]]


def crossed(network: Any, x0: Vector) -> Vector:
    x = x0
    for layer in network.layers:
        x = added(times(x0, linear(layer.linear, x)), x)
    return x


def multi_embedding(network: Any, rows: Matrix) -> Vector:
    parts = []
    for table, interaction in enumerate(network.interactions):
        fields = [row[table * WIDTH : (table + 1) * WIDTH] for row in rows]
        by_cin = hasattr(interaction, "cin")
        parts.append(cin(interaction.cin, fields) if by_cin else crossed(interaction.cross, flat(fields)))
    mean = [value / len(parts) for value in added(*parts)]
    return mlp(network.deep, relu(mean))


REFERENCES: dict[str, Callable[[Any, Matrix], Vector]] = {
    each.__name__: each
    for each in (
        logistic_regression,
        fm,
        deepfm,
        xdeepfm,
        autoint,
        finalmlp,
        finalnet,
        masknet,
        fibinet,
        multi_embedding,
    )
}

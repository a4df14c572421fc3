"""The mixers as loops over numbers: a network and one example's rows of the embedding table -> its logits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tests.models.loops import (
    Matrix,
    Vector,
    added,
    dot,
    flat,
    layer_norm,
    linear,
    mlp,
    multiplied,
    relu,
    rms_norm,
    times,
)

from rankelastor.nn.ffn.relu_experts import ReluExperts
from rankelastor.nn.ffn.top_k_experts import TopKExperts

Layer = Callable[[Vector], Vector]


def swish(value: float) -> float:
    return value / (1 + math.exp(-value))


def gelu(value: float) -> float:
    return value * (1 + math.erf(value / math.sqrt(2))) / 2


def cut(vector: Vector, parts: int) -> Matrix:
    width = len(vector) // parts
    return [vector[start : start + width] for start in range(0, len(vector), width)]


def mean(rows: Matrix) -> Vector:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def own_map(layer: Any, token: int, x: Vector) -> Vector:
    """x W_t [+ b_t] of a ``PerTokenLinear``."""
    out = multiplied(x, layer.weight[token].tolist())
    return out if layer.bias is None else added(out, layer.bias[token].tolist())


def swiglu(ffn: Any, token: int, x: Vector) -> Vector:
    gate, up = cut(own_map(ffn.up, token, x), 2)
    return own_map(ffn.down, token, times([swish(value) for value in gate], up))


def expert(experts: Any, token: int, number: int, x: Vector) -> Vector:
    """Expert ``number`` of a token; the maps of all experts lie side by side."""
    parts = cut(own_map(experts.up, token, x), experts.num_maps * experts.num_experts)
    if experts.form == "gelu":
        hidden = [gelu(value) for value in parts[number]]
    else:
        hidden = times([swish(value) for value in parts[number]], parts[experts.num_experts + number])
    place = token * experts.num_experts + number
    return added(multiplied(hidden, experts.down[place].tolist()), experts.down_bias[place].tolist())


def relu_experts(ffn: Any, token: int, x: Vector) -> Vector:
    out = [0.0] * len(x)
    for number, gate in enumerate(relu(own_map(ffn.router, token, x))):
        out = added(out, [gate * value for value in expert(ffn.experts, token, number, x)])
    return out


def top_k_experts(ffn: Any, token: int, x: Vector) -> Vector:
    scores = own_map(ffn.router, token, x)
    best = sorted(range(len(scores)), key=lambda number: -scores[number])[: ffn.num_chosen]
    total = sum(math.exp(score) for score in scores)
    out = swiglu(ffn.shared, token, x)
    for number in best:
        gate = ffn.factor * math.exp(scores[number]) / total
        out = added(out, [gate * value for value in expert(ffn.experts, token, number, x)])
    return out


def ffn_of(ffn: Any, token: int, x: Vector) -> Vector:
    if isinstance(ffn, TopKExperts):
        return top_k_experts(ffn, token, x)
    if isinstance(ffn, ReluExperts):
        return relu_experts(ffn, token, x)
    if hasattr(ffn, "down"):
        return swiglu(ffn, token, x)
    (layer,) = ffn.layers
    return own_map(ffn.out, token, [gelu(value) for value in own_map(layer.linear, token, x)])


def heads_of(tokens: Matrix, num_heads: int) -> Matrix:
    """Part h of every token, one behind the other, as row h."""
    return [flat([cut(token, num_heads)[head] for token in tokens]) for head in range(num_heads)]


def per_token_split(tokenizer: Any, fields: Matrix) -> Matrix:
    x = rms_norm(tokenizer.norm, flat(fields)) + [0.0] * tokenizer.padding
    return [own_map(tokenizer.maps, token, part) for token, part in enumerate(cut(x, tokenizer.num_tokens))]


def pooled_head(head: Any, tokens: Matrix) -> Vector:
    return mlp(head.mlp, mean(tokens))


def rankmixer_paper(network: Any, rows: Matrix) -> Vector:
    tokens = per_token_split(network.tokenizer, rows)
    for mixing, ffn in zip(network.mixings, network.ffns, strict=True):
        mixed = heads_of(tokens, len(tokens))
        tokens = [layer_norm(mixing.norm, added(x, m)) for x, m in zip(tokens, mixed, strict=True)]
        tokens = [layer_norm(ffn.norm, added(ffn_of(ffn.layer, t, s), s)) for t, s in enumerate(tokens)]
    return pooled_head(network.head, tokens)


def tokenmixer_large(network: Any, rows: Matrix) -> Vector:
    tokenizer = network.tokenizer
    first = mlp(tokenizer.first.mlp, rms_norm(tokenizer.norm, flat(rows)))
    states = [[first, *per_token_split(tokenizer.others, rows)]]
    for number, block in enumerate(network.blocks, 1):
        heads = heads_of(states[-1], block.mixing.num_heads)
        between = block.mixing.between
        heads = [added(ffn_of(between.layer, h, rms_norm(between.norm, x)), x) for h, x in enumerate(heads)]
        reverted = [flat([cut(head, len(states[-1]))[token] for head in heads]) for token in range(len(states[-1]))]
        tokens = [
            added(ffn_of(block.pffn.ffn, t, rms_norm(block.pffn.norm, x)), before)
            for t, (x, before) in enumerate(zip(reverted, states[-1], strict=True))
        ]
        if network.skip and network.skip <= number < len(network.blocks):
            tokens = [added(x, y) for x, y in zip(tokens, states[number - network.skip], strict=True)]
        states.append(tokens)
    return pooled_head(network.head, states[-1])


def scaled(matrix: Matrix, iterations: int) -> Matrix:
    """exp of the scores, with rows and columns divided by their sums in turn."""
    matrix = [[math.exp(value) for value in row] for row in matrix]
    for _ in range(iterations):
        matrix = [[value / sum(row) for value in row] for row in matrix]
        sums = [sum(column) for column in zip(*matrix, strict=True)]
        matrix = [[value / total for value, total in zip(row, sums, strict=True)] for row in matrix]
    return matrix


def symmetric(matrix: Matrix) -> Matrix:
    size = range(len(matrix))
    return [[(matrix[i][j] + matrix[j][i]) / 2 for j in size] for i in size]


def sinkhorn_map(maps: Any, scores: Matrix, *, is_symmetric: bool) -> Matrix:
    before, after = (is_symmetric and maps.symmetrise == when for when in ("before", "after"))
    scores = symmetric(scores) if before else scores
    matrix = scaled([[value / maps.temperature.item() for value in row] for row in scores], maps.iterations)
    return symmetric(matrix) if after else matrix


def local_scores(scores: Any, block: int) -> Matrix:
    if hasattr(scores, "scores"):
        matrix: Matrix = scores.scores[block].tolist()
        return matrix
    weights, bases = scores.weights[block].tolist(), scores.bases.tolist()
    size = range(len(bases[0]))
    return [[sum(w * base[i][j] for w, base in zip(weights, bases, strict=True)) for j in size] for i in size]


def uni_mixing(mixing: Any, tokens: Matrix) -> Matrix:
    maps = mixing.maps
    if hasattr(maps.across, "scores"):
        across = maps.across.scores[0].tolist()
    else:
        across = [multiplied(row, maps.across.right[0].tolist()) for row in maps.across.left[0].tolist()]
    across = sinkhorn_map(maps, across, is_symmetric=True)
    inside = []
    for block, x in enumerate(cut(flat(tokens), len(across))):
        local = sinkhorn_map(maps, local_scores(maps.local, block), is_symmetric=maps.symmetric_local)
        inside.append(multiplied(x, local))
    mixed = [added(*[[g * value for value in h] for g, h in zip(row, inside, strict=True)]) for row in across]
    return cut(flat(mixed), len(tokens))


def uni_block(block: Any, tokens: Matrix) -> Matrix:
    if hasattr(block.mixing, "layer"):
        mixed = uni_mixing(block.mixing.layer, tokens)
        tokens = [rms_norm(block.mixing.norm, added(x, m)) for x, m in zip(tokens, mixed, strict=True)]
    else:
        tokens = uni_mixing(block.mixing, tokens)
    return [added(o, swiglu(block.pffn.ffn, t, o)) for t, o in enumerate(tokens)]


def summed(left: Matrix, right: Matrix) -> Matrix:
    return [added(x, y) for x, y in zip(left, right, strict=True)]


def unimixer(network: Any, rows: Matrix) -> Vector:
    tokenizer = network.tokenizer
    tokens = cut(mlp(tokenizer.mlp, rms_norm(tokenizer.norm, flat(rows))), tokenizer.num_tokens)
    if network.siamese is None:
        for block in network.blocks:
            tokens = uni_block(block, tokens)
    else:
        normed, plain, siamese = tokens, tokens, network.siamese
        for block, before, after in zip(network.blocks, siamese.before, siamese.after, strict=False):
            out = uni_block(block, summed(normed, [rms_norm(before, x) for x in plain]))
            normed, plain = [rms_norm(after, x) for x in summed(normed, out)], summed(plain, out)
        tokens = summed(normed, [rms_norm(siamese.before[-1], x) for x in plain])
    return linear(network.head.out, relu(linear(network.head.hidden, flat(tokens))))


def global_token(layer: Any, fields: Matrix) -> Vector:
    if hasattr(layer, "mlp"):
        return mlp(layer.mlp, flat(fields))
    if hasattr(layer, "cross"):
        x = x0 = flat(fields)
        for cross in layer.cross.layers:
            x = added(times(x0, linear(cross.linear, x)), x)
        return linear(layer.out, x)
    pairs = [times(fields[i], fields[j]) for i in range(len(fields)) for j in range(i)]
    return linear(layer.out, added(*pairs))


def rankup_tokens(tokenizer: Any, rows: Matrix) -> Matrix:
    e, x = tokenizer.embedding_dim, rms_norm(tokenizer.norm, flat(rows))
    fields = cut(x, len(rows))
    num_tables = len(fields[0]) // e - (tokenizer.global_token is not None)

    def table(number: int) -> Matrix:
        return [field[number * e : (number + 1) * e] for field in fields]

    tokens, groups = [], tokenizer.groups
    for token, group in enumerate(groups.groups):
        given = flat([table(token % num_tables)[field] for field in group])
        given += [0.0] * (groups.maps.weight.shape[1] - len(given))
        tokens.append(own_map(groups.maps, token, given))
    if tokenizer.global_token is not None:
        tokens.append(global_token(tokenizer.global_token, table(num_tables)))
    if tokenizer.cross_map is not None:
        first, second = tokenizer.crossed
        tokens.append(linear(tokenizer.cross_map, times(table(0)[first], table(0)[second])))
    return [*tokens, *tokenizer.tasks.tolist()]


def rankup(network: Any, rows: Matrix) -> Vector:
    tokens = rankup_tokens(network.tokenizer, rows)
    for mixing, ffn in zip(network.mixings, network.ffns, strict=True):
        mixed = heads_of([rms_norm(mixing.norm, x) for x in tokens], len(tokens))
        tokens = summed(mixed, tokens)
        tokens = [added(swiglu(ffn.layer, t, rms_norm(ffn.norm, x)), x) for t, x in enumerate(tokens)]
    of_tasks = tokens[-len(network.towers) :]
    return [mlp(tower, own + mean(tokens))[0] for tower, own in zip(network.towers, of_tasks, strict=True)]


def row_map(layer: Any, rows: Matrix) -> Matrix:
    weights: Matrix = layer.linear.weight.tolist()
    return [added(*[[w * value for value in row] for w, row in zip(ws, rows, strict=True)]) for ws in weights]


def wukong_layer(layer: Any, rows: Matrix) -> Matrix:
    block = layer.factorized
    y = block.rank_map.weight.tolist()  # (rank, row)
    products = []
    for row in rows:  # row . (sum over rows of y_kj row_j), for each column k of Y
        products += [sum(y_k[j] * dot(row, other) for j, other in enumerate(rows)) for y_k in y]
    factorized = cut(mlp(block.mlp, layer_norm(block.norm, products)), block.num_out)
    if type(block.last).__name__ == "ReLU":
        factorized = [relu(row) for row in factorized]
    both = [*factorized, *row_map(layer.compressed, rows)]
    residual = row_map(layer.residual, rows) if hasattr(layer.residual, "linear") else rows
    return [layer_norm(layer.norm, row) for row in summed(both, residual)]


def wukong(network: Any, rows: Matrix) -> Vector:
    for layer in network.layers:
        rows = wukong_layer(layer, rows)
    return mlp(network.deep, flat(rows))


MIXER_REFERENCES: dict[str, Callable[[Any, Matrix], Vector]] = {
    each.__name__: each for each in (rankmixer_paper, tokenmixer_large, unimixer, rankup, wukong)
}

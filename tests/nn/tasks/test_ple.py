from __future__ import annotations

import torch
from tests.models.loops import Matrix, Vector, added, linear, relu, softmax
from tests.nn.tasks.bodies import Linear, fields

from rankelastor.nn.tasks.gate import ExpertGate
from rankelastor.nn.tasks.ple import ExpertLayer, ExtractionGates, ProgressiveExtraction
from rankelastor.nn.tasks.towers import TaskTowers


def mixed(gate: ExpertGate, x: Vector, experts: Matrix) -> Vector:
    weights = softmax(linear(gate.linear, x))
    return added(*([w * v for v in out] for w, out in zip(weights, experts, strict=True)))


def later(layer: ExpertLayer, x: Vector) -> Matrix:
    out = relu(linear(layer.linear, x))
    width = len(out) // layer.num_experts
    return [out[start : start + width] for start in range(0, len(out), width)]


def test_two_layers_are_the_loop_over_tasks_and_experts() -> None:
    own, shared = [[Linear(4, 3)], [Linear(4, 3)]], [Linear(4, 3), Linear(4, 3)]
    sizes = {"num_tasks": 2, "num_own": 1, "num_shared": 2}
    gates = [
        ExtractionGates(in_dim=4, is_last=False, **sizes),
        ExtractionGates(in_dim=3, is_last=True, **sizes),
    ]
    layer = [ExpertLayer(num_experts=count, dim=3) for count in (1, 1, 2)]
    network = ProgressiveExtraction(
        own=own, shared=shared, gates=gates, later=[layer], towers=TaskTowers(num_tasks=2, in_dim=3)
    )
    embedded = fields()
    for example, logits in enumerate(network(embedded)):
        x = embedded.fields[example].flatten().tolist()
        experts = [[relu(linear(e.linear, x)) for e in group] for group in (*own, shared)]
        first, last = gates
        parts = [mixed(gate, x, experts[task] + experts[2]) for task, gate in enumerate(first.tasks)]  # type: ignore[arg-type]
        assert first.shared is not None
        parts.append(mixed(first.shared, x, experts[0] + experts[1] + experts[2]))
        experts = [later(one, part) for one, part in zip(layer, parts, strict=True)]
        for task, gate in enumerate(last.tasks):
            out = mixed(gate, parts[task], experts[task] + experts[2])  # type: ignore[arg-type]
            weight, bias = network.towers.weight[task, :, 0].tolist(), network.towers.bias[task].item()
            expected = sum(a * b for a, b in zip(weight, out, strict=True)) + bias
            torch.testing.assert_close(logits[task].item(), expected, atol=1e-5, rtol=1e-5)

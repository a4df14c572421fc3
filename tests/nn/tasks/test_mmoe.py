import torch
from tests.models.loops import added, linear, relu, softmax
from tests.nn.tasks.bodies import Linear, fields

from rankelastor.nn.tasks.gate import ExpertGate
from rankelastor.nn.tasks.mmoe import MultiGateExperts
from rankelastor.nn.tasks.towers import TaskTowers


def test_it_is_the_loop_over_tasks_and_experts() -> None:
    experts = [Linear(4, 3) for _ in range(3)]
    gates = [ExpertGate(in_dim=4, num_experts=3) for _ in range(2)]
    network = MultiGateExperts(experts, gates, TaskTowers(num_tasks=2, in_dim=3))
    embedded = fields()
    for example, logits in enumerate(network(embedded)):
        x = embedded.fields[example].flatten().tolist()
        outputs = [relu(linear(expert.linear, x)) for expert in experts]
        for task, gate in enumerate(gates):
            weights = softmax(linear(gate.linear, x))
            mixed = added(*([w * v for v in out] for w, out in zip(weights, outputs, strict=True)))
            weight, bias = network.towers.weight[task, :, 0].tolist(), network.towers.bias[task].item()
            expected = sum(a * b for a, b in zip(weight, mixed, strict=True)) + bias
            torch.testing.assert_close(logits[task].item(), expected, atol=1e-5, rtol=1e-5)

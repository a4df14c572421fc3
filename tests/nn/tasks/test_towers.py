import torch

from rankelastor.nn.tasks.towers import TaskTowers


def test_each_task_has_a_tower_of_its_own() -> None:
    towers = TaskTowers(num_tasks=2, in_dim=3, hidden_dims=[4])
    x = torch.randn(5, 2, 3)
    (hidden,) = towers.hidden
    for task in range(2):
        inner = (x[:, task] @ hidden.weight[task] + hidden.bias[task]).clamp_min(0)  # type: ignore[index]
        expected = inner @ towers.weight[task, :, 0] + towers.bias[task]
        torch.testing.assert_close(towers(x)[:, task], expected)

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.collectives.ranks import on_ranks
from torch import Tensor, nn

from rankelastor.collectives.processes import ALONE, Processes
from rankelastor.errors import SettingsError
from rankelastor.nn.batch_norm import BatchNorm
from rankelastor.nn.ffn.relu_experts import ReluExperts
from rankelastor.nn.mixing.rotation import EigenvalueRotation
from rankelastor.nn.shared_statistics import SharedStatistics
from rankelastor.training.distributed.coupled_layers import share_statistics

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "batch normalisation": (lambda: BatchNorm(3), (3,)),
    "a rotation": (lambda: EigenvalueRotation(num_tokens=2, token_dim=3), (2, 3)),
    "sparse experts": (
        lambda: ReluExperts(num_tokens=2, token_dim=3, hidden_dim=4, num_experts=3, routers="one"),
        (2, 3),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_see_the_whole_batch_and_keep_its_statistics(name: str) -> None:
    make, shape = LAYERS[name]
    inputs = torch.randn(7, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def layer() -> nn.Module:
        torch.manual_seed(2)
        return make().double().train()

    whole = layer()
    x = inputs.clone().requires_grad_()
    output = whole(x)
    output.square().sum().backward()

    def work(processes: Processes) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        start, stop = processes.world.share(len(inputs))
        own = inputs[start:stop].clone().requires_grad_()
        share_statistics(shared[processes.world.rank], processes)
        found = shared[processes.world.rank](own)
        found.square().sum().backward()
        assert own.grad is not None
        return found.detach(), own.grad, dict(shared[processes.world.rank].named_buffers())

    shared = [layer() for _ in range(3)]
    ranks = on_ranks(3, work)
    assert x.grad is not None
    assert torch.allclose(torch.cat([found for found, _, _ in ranks]), output.detach(), rtol=0, atol=1e-12)
    assert torch.allclose(torch.cat([gradient for _, gradient, _ in ranks]), x.grad, rtol=0, atol=1e-7)
    for _, _, buffers in ranks:
        for key, buffer in whole.named_buffers():
            assert torch.allclose(buffers[key].double(), buffer.double(), rtol=0, atol=1e-12), key


def test_a_batch_of_one_row_over_all_ranks_has_no_variance() -> None:
    def work(processes: Processes) -> Tensor:
        norm = BatchNorm(2)
        share_statistics(norm, processes)
        found: Tensor = norm(torch.ones(1, 2)[: 1 - processes.world.rank])
        return found.detach()

    first, second = on_ranks(2, work)
    assert torch.allclose(first, torch.ones(1, 2), atol=1e-4)
    assert second.shape == (0, 2)


def test_a_layer_that_cannot_share_is_refused_and_one_process_needs_nothing() -> None:
    class Foreign(nn.Module):
        couples_examples = True

    model = nn.Sequential(nn.Linear(2, 2), Foreign())
    share_statistics(model, ALONE)

    def work(processes: Processes) -> str:
        with pytest.raises(SettingsError) as refused:
            share_statistics(model, processes)
        return str(refused.value)

    for message in on_ranks(2, work):
        assert "trained by 2 processes, but 1 (Foreign) does not; train in one process, or make it a " in message
        assert f"{SharedStatistics.__module__}.{SharedStatistics.__name__}" in message

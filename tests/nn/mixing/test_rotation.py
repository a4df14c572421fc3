from __future__ import annotations

import pytest
import torch

from rankelastor.nn.mixing.rotation import EigenvalueRotation, allocate


def trained(*batches: torch.Tensor, momentum: float = 0.1) -> EigenvalueRotation:
    rotation = EigenvalueRotation(num_tokens=2, token_dim=4, momentum=momentum)
    for batch in batches:
        rotation(batch)
    return rotation


def test_a_fresh_rotation_is_the_identity_in_evaluation() -> None:
    tokens = torch.randn(3, 2, 4)
    assert torch.equal(EigenvalueRotation(num_tokens=2, token_dim=4).eval()(tokens), tokens)


def test_rotated_tokens_are_uncorrelated_and_the_rotation_is_orthogonal() -> None:
    tokens = torch.randn(100, 2, 4) @ torch.randn(4, 4)
    rotation = trained(tokens)
    torch.testing.assert_close(rotation.rotation.T @ rotation.rotation, torch.eye(4), atol=1e-5, rtol=0)
    covariance = (tokens @ rotation.rotation).flatten(0, 1).T.cov()
    off_diagonal = covariance - covariance.diag().diag()
    assert off_diagonal.abs().max() < 1e-4 * covariance.max()


def test_the_first_batch_sets_the_moments_and_later_ones_move_them() -> None:
    first, second = torch.randn(50, 2, 4), torch.randn(50, 2, 4)
    rotation = trained(first, second, momentum=0.25)
    means = [batch.flatten(0, 1).mean(0) for batch in (first, second)]
    torch.testing.assert_close(rotation.mean, 0.75 * means[0] + 0.25 * means[1])


def test_one_row_changes_nothing() -> None:
    rotation = EigenvalueRotation(num_tokens=1, token_dim=4)
    rotation(torch.randn(1, 1, 4))
    assert torch.equal(rotation.rotation, torch.eye(4))


def test_the_rotation_has_no_gradient_and_the_tokens_have() -> None:
    tokens = torch.randn(5, 2, 4, requires_grad=True)
    rotation = trained(tokens.detach()).eval()
    rotation(tokens).sum().backward()
    torch.testing.assert_close(tokens.grad, rotation.rotation.sum(1).expand(5, 2, 4))
    assert not list(rotation.parameters())


@pytest.mark.parametrize("num_buckets", [1, 2, 5])
def test_every_coordinate_is_allocated_once(num_buckets: int) -> None:
    eigenvalues = torch.rand(7).sort(descending=True).values * 9
    assert sorted(allocate(eigenvalues, num_buckets=num_buckets)) == list(range(7))

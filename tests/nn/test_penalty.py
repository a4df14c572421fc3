import torch

from rankelastor.nn.penalty import penalised


def test_the_gradient_is_that_of_a_loss_with_the_penalty_and_the_value_is_not() -> None:
    x, factor = torch.randn(3, 4, dtype=torch.float64, requires_grad=True), torch.tensor(0.7, dtype=torch.float64)
    loss = penalised(x, factor).square().sum()
    assert torch.equal(loss, x.square().sum())
    (ours,) = torch.autograd.grad(loss, x)
    (theirs,) = torch.autograd.grad(x.square().sum() + factor * x.sum(), x)
    torch.testing.assert_close(ours, theirs)

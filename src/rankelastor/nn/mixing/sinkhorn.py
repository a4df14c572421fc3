"""Doubly stochastic matrices by Sinkhorn scaling, with a temperature that can fall during training."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.sizes import PositiveFloat, PositiveInt


def symmetric_sinkhorn(logits: Float[Tensor, "block block"], *, iterations: int) -> Float[Tensor, "block block"]:
    """Compute D exp(logits) D with the diagonal D that makes rows and columns sum to 1: symmetric and positive.

    The computation is done on logarithms, so that large logits do not overflow. The result is exactly symmetric after
    any number of iterations; how close its sums are to 1 depends on them. The plain iteration
    f = -logsumexp(logits + f) approaches the solution quickly but oscillates around it, so each of the last quarter of
    the iterations is averaged with the one before.

    Args:
        logits: a symmetric matrix.
        iterations: number of iterations; after 20 the sums are off by about 1e-6 for logits of standard deviation 1,
            and by several per cent for standard deviations of 10 and more.

    Example:
        >>> matrix = symmetric_sinkhorn(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), iterations=20)
        >>> torch.allclose(matrix.sum(0), torch.ones(2)), torch.equal(matrix, matrix.T)
        (True, True)

    Source: Sinkhorn and Knopp 1967; the symmetric form of Knight, Ruiz and Ucar 2014.
    """
    scale = logits.new_zeros(len(logits))
    num_averaged = (iterations + 3) // 4
    for step in range(iterations):
        rescaled = -torch.logsumexp(logits + scale, dim=1)
        scale = rescaled if step < iterations - num_averaged else (scale + rescaled) / 2
    return (logits + (scale + scale[:, None])).exp()


class DoublyStochasticMatrix(nn.Module):
    """Learned scores A as the matrix sinkhorn((A + A^T) / (2 temperature)): symmetric, rows and columns sum to 1.

    The temperature falls from ``start_temperature`` to ``end_temperature`` linearly over the first
    ``fall_epochs`` epochs, which the training loop reports through ``set_epochs_done`` (see nn/scheduled.py), and stays
    there. It is a buffer, so that a checkpoint holds the temperature at which it was stored.

    NOTE[DIFF]: UniMixer states the two ends, 1.0 and 0.05. Our choices are the linear fall, its length in epochs (with
    early stopping the length of a training is not known beforehand) and the number of iterations. Covered by
    tests/nn/mixing/test_sinkhorn.py.

    Args:
        size: number of rows and of columns.
        start_temperature: temperature at the first step.
        end_temperature: temperature after ``fall_epochs``; set it to the start for a fixed temperature.
        fall_epochs: number of epochs over which it falls; a fraction is allowed.
        iterations: number of iterations of Sinkhorn scaling; after 20 the sums of rows and columns are off by about
            1e-6 for scores of standard deviation 1.

    Example:
        >>> matrix = DoublyStochasticMatrix(size=3, start_temperature=1.0, end_temperature=0.05, fall_epochs=2.0)
        >>> matrix.set_epochs_done(1.0)
        >>> round(float(matrix.temperature), 3), matrix().shape
        (0.525, torch.Size([3, 3]))

    Source: global mixing of UniMixer, arXiv 2604.00590.
    """

    temperature: Tensor

    def __init__(
        self,
        *,
        size: int,
        start_temperature: PositiveFloat = 1.0,
        end_temperature: PositiveFloat = 0.05,
        fall_epochs: PositiveFloat = 1.0,
        iterations: PositiveInt = 20,
    ) -> None:
        super().__init__()
        self.start_temperature = start_temperature
        self.end_temperature = end_temperature
        self.fall_epochs = fall_epochs
        self.iterations = iterations
        self.scores = nn.Parameter(torch.empty(size, size))
        nn.init.xavier_normal_(self.scores)
        self.register_buffer("temperature", torch.tensor(start_temperature))

    def set_epochs_done(self, epochs: float) -> None:
        """Set the temperature to its value after ``epochs`` epochs."""
        share = min(1.0, epochs / self.fall_epochs)
        self.temperature.fill_(self.start_temperature + share * (self.end_temperature - self.start_temperature))

    def forward(self) -> Float[Tensor, "block block"]:
        """Compute the matrix at the present temperature, in the precision of the scores even under autocast."""
        logits = (self.scores + self.scores.T) / (2 * self.temperature)
        return symmetric_sinkhorn(logits, iterations=self.iterations)

import torch

from rankelastor.nn.mixing.sinkhorn import DoublyStochasticMatrix
from rankelastor.nn.scheduled import Scheduled, scheduled_modules


def test_a_model_names_the_modules_that_follow_training() -> None:
    matrix = DoublyStochasticMatrix(size=3)
    assert scheduled_modules(torch.nn.Sequential(torch.nn.Linear(2, 2), matrix)) == [matrix]
    assert isinstance(matrix, Scheduled)
    assert not isinstance(torch.nn.Linear(2, 2), Scheduled)

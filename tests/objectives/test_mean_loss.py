import math
from dataclasses import replace

import pytest
import torch
from tests.objectives.test_binary_cross_entropy import drawn, loss_of

from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.objectives.mean_loss import MeanLoss


@pytest.mark.parametrize("weighted", [False, True])
def test_the_mean_over_batches_is_the_loss_of_all_their_examples(weighted: bool) -> None:
    logits, batch = drawn(10)
    batch = batch if weighted else replace(batch, weight=None)
    objective = BinaryCrossEntropy()
    losses = MeanLoss(objective.total)
    for part_logits, part in zip(logits.split(4), batch.split(4), strict=True):
        losses.add(loss_of(objective, part_logits, part), part)
    assert losses.value() == pytest.approx(loss_of(objective, logits, batch).item(), rel=1e-6)


def test_without_weights_it_is_the_sum_by_examples_over_their_number_bit_for_bit() -> None:
    losses, batches = [torch.tensor(0.1), torch.tensor(0.7), torch.tensor(0.3)], [drawn(n)[1] for n in (5, 5, 2)]
    mean = MeanLoss(BinaryCrossEntropy().total)
    total = torch.zeros((), dtype=torch.float64)
    for loss, batch in zip(losses, batches, strict=True):
        mean.add(loss, replace(batch, weight=None))
        total += loss.double() * batch.num_examples
    assert mean.value() == total.item() / 12


def test_a_loss_that_is_not_finite_stays_so() -> None:
    losses = MeanLoss(BinaryCrossEntropy().total)
    losses.add(torch.tensor(float("inf")), drawn()[1])
    assert not math.isfinite(losses.value())


def test_without_a_batch_there_is_no_mean() -> None:
    assert math.isnan(MeanLoss(BinaryCrossEntropy().total).value())

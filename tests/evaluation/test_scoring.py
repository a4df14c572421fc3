"""Tests that scores do not depend on how a batch is cut, and that predictions hold labels, groups and weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from tests.training.test_step import batch, fresh_ranker

from rankelastor.config.execution import ExecutionSettings
from rankelastor.evaluation import scoring
from rankelastor.evaluation.scoring import Predictions, Scorer, score_split
from rankelastor.execution.cores import borrowed_cores
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.schema import Batch


@pytest.mark.parametrize("work_per_slice", [1, scoring._WORK_PER_SLICE])
def test_slices_give_the_scores_of_the_whole_batch(work_per_slice: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_WORK_PER_SLICE", work_per_slice)
    ranker, examples = fresh_ranker().eval(), batch(0, 700)
    scorer = Scorer(ranker, ExecutionSettings(), batch_size=8192)
    with torch.no_grad():
        wanted = ranker(examples).double().sigmoid()
    assert torch.allclose(torch.from_numpy(scorer(examples)), wanted, rtol=1e-5)
    scorer.close()


@dataclass(frozen=True)
class Batches:
    """Examples to score from memory."""

    batches: list[Batch]

    @property
    def num_rows(self) -> int:
        return sum(batch.num_examples for batch in self.batches)

    @property
    def batch_size(self) -> int:
        return max(batch.num_examples for batch in self.batches)

    def epoch(self) -> Iterator[Batch]:
        return iter(self.batches)


class TwoLogits(torch.nn.Module):
    """A network with two logits: the sum of the embedded features, and its negative."""

    def forward(self, embedded: Embedded) -> torch.Tensor:
        total = embedded.fields.sum(dim=(1, 2)).unsqueeze(1)
        return torch.cat([total, -total], dim=1)


def two_tasks(num_examples: int, seed: int = 0) -> Batch:
    plain = batch(seed, num_examples)
    assert plain.labels is not None
    return replace(
        plain,
        labels=torch.cat([plain.labels, 1 - plain.labels], dim=1),
        group=torch.arange(num_examples),
        weight=torch.arange(num_examples).float(),
    )


def two_task_ranker() -> Ranker:
    return Ranker(embedding=fresh_ranker().embedding, network=TwoLogits()).eval()


@pytest.mark.parametrize("num_examples", [3, 200])
def test_scores_have_a_column_per_task(num_examples: int) -> None:
    scorer = Scorer(two_task_ranker(), ExecutionSettings(), batch_size=8192)
    scores = scorer(two_tasks(num_examples))
    scorer.close()
    assert scores.shape == (num_examples, 2)
    assert scores.sum(axis=1) == pytest.approx(np.ones(num_examples))


def test_a_batch_without_examples_has_no_scores() -> None:
    scorer = Scorer(two_task_ranker(), ExecutionSettings(), batch_size=8192)
    assert scorer(two_tasks(0)).size == 0
    scorer.close()


def test_a_scored_split_holds_every_example_in_order() -> None:
    batches, tasks = [two_tasks(5), two_tasks(3, seed=1)], ("click", "skip")
    ranker = two_task_ranker().train()
    predictions = score_split(ranker, Batches(batches), ExecutionSettings(), tasks=tasks)
    assert predictions.label.tolist() == [row for one in batches for row in one.labels.tolist()]  # type: ignore[union-attr]
    assert predictions.group is not None
    assert predictions.group.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert predictions.weight is not None
    assert predictions.weight.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert predictions.tasks == tasks
    assert ranker.training


def test_without_groups_and_weights_there_are_none() -> None:
    predictions = score_split(fresh_ranker(), Batches([batch(0)]), ExecutionSettings(), tasks=["click"])
    assert predictions.group is None
    assert predictions.weight is None


def test_metrics_are_by_weight() -> None:
    predictions = score_split(two_task_ranker(), Batches([two_tasks(40)]), ExecutionSettings(), tasks=["click", "skip"])
    assert predictions.weight is not None
    repeats = predictions.weight.astype(int)
    repeated = Predictions(
        label=predictions.label.repeat(repeats, axis=0),
        probability=predictions.probability.repeat(repeats, axis=0),
        tasks=predictions.tasks,
    )
    for name in ("auc", "click.auc", "skip.logloss", "calibration_ratio"):
        assert predictions.metrics().value(name) == pytest.approx(repeated.metrics().value(name)), name
    assert predictions.metrics().value("auc") != replace(predictions, weight=None).metrics().value("auc")


def test_predictions_of_some_examples_keep_all_columns_together() -> None:
    predictions = score_split(two_task_ranker(), Batches([two_tasks(6)]), ExecutionSettings(), tasks=["click", "skip"])
    chosen = np.array([True, False, False, True, False, True])
    some = predictions.where(chosen)
    assert some.weight is not None
    assert some.group is not None
    assert some.weight.tolist() == some.group.tolist() == [0, 3, 5]
    assert some.label.tolist() == predictions.label[[0, 3, 5]].tolist()
    assert some.probability.tolist() == predictions.probability[[0, 3, 5]].tolist()


def test_a_scorer_sees_weights_that_change_unless_they_are_fixed() -> None:
    ranker, examples = fresh_ranker().eval(), batch(0, 5)
    scorer = Scorer(ranker, ExecutionSettings(), batch_size=8192)
    before = [scorer(examples) for _ in range(3)]
    with torch.no_grad():
        for parameter in ranker.parameters():
            parameter.mul_(0)
    assert np.array_equal(before[0], before[2])
    assert not np.array_equal(scorer(examples), before[0])
    scorer.close()


@pytest.mark.parametrize(
    ("threads", "is_fixed", "tiny", "helped"),
    [(2, True, 1, True), (1, True, 1, False), (2, False, 1, False), (2, True, 2**40, False)],
    ids=["a service", "one thread", "weights that change", "little work"],
)
def test_a_service_scores_few_rows_with_a_helper_where_it_may_and_that_pays(
    threads: int, is_fixed: bool, tiny: int, helped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    monkeypatch.setattr(scoring, "TINY_WORK", tiny)
    asked: list[bool] = []

    @contextmanager
    def noted(*, with_helper: bool) -> Iterator[None]:
        asked.append(with_helper)
        yield

    monkeypatch.setattr(scoring, "one_core", noted)
    with borrowed_cores(2):
        Scorer(fresh_ranker().eval(), ExecutionSettings(), batch_size=8192, is_fixed=is_fixed)(batch(64))
    assert asked == [helped]

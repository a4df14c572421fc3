"""Tests of two tasks and example weights, from tensors to metrics: a mixer learns both tasks, and weights matter."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
import torch
from tests.evaluation.test_scoring import Batches
from tests.training.steppers import stepper_of, training_settings

from rankelastor.config.stopping import StoppingSettings
from rankelastor.evaluation.scoring import Predictions, score_split
from rankelastor.models.build import build_embedding
from rankelastor.models.mixer import MixerNetwork
from rankelastor.models.ranker import Ranker
from rankelastor.nn.block import Block
from rankelastor.nn.ffn.mlp import PerTokenMlp
from rankelastor.nn.head import MlpHead
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.tokenizer.reshape import ReshapeTokenizer
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema
from rankelastor.training.stopping import Plateau

TASKS = ("click", "like")
SCHEMA = FeatureSchema(tuple(CategoricalFeature(name, 6) for name in ("site", "device", "hour")), tasks=TASKS)
SETTINGS = training_settings(learning_rate=0.01)


def two_task_ranker() -> Ranker:
    torch.manual_seed(0)
    mixing = FullMixing(num_tokens=3, token_dim=4)
    ffn = PerTokenMlp(num_tokens=3, token_dim=4, hidden_dims=[8])
    network = MixerNetwork(
        tokenizer=ReshapeTokenizer(num_fields=3, embedding_dim=4, num_tokens=3, token_dim=4),
        blocks=[Block(mixing=mixing, ffn=ffn, token_dim=4)],
        head=MlpHead(num_tokens=3, token_dim=4, num_tasks=len(TASKS)),
    )
    return Ranker(embedding=build_embedding(SCHEMA, embedding_dim=4), network=network)


def clicks(seed: int, num_examples: int = 256, weight: float | None = None) -> Batch:
    """Make data in which clicks depend on the site and likes on the device.

    Args:
        weight: weight of the examples without a click; those with a click have weight 1. None: no weights.
    """
    ids = torch.randint(1, 5, (num_examples, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.int32)
    noise = torch.rand(num_examples, 2, generator=torch.Generator().manual_seed(seed + 1000))
    labels = ((ids[:, :2] / 5) > noise).float()
    weights = None if weight is None else torch.where(labels[:, 0] > 0, 1.0, weight)
    return Batch(
        categorical=ids, numeric=torch.zeros(num_examples, 0), labels=labels, group=ids[:, 2].long(), weight=weights
    )


def trained(batches: list[Batch], objective: BinaryCrossEntropy | None = None) -> tuple[Ranker, list[float]]:
    ranker = two_task_ranker()
    with closing(stepper_of(ranker, SETTINGS, objective=objective)) as stepper:
        losses = [stepper.step(batch).item() for batch in batches]
        stepper.complete_rows()
    return ranker, losses


def scored(ranker: Ranker, batch: Batch) -> Predictions:
    return score_split(ranker, Batches([batch]), SETTINGS.execution, tasks=SCHEMA.tasks)


def test_a_ranker_learns_two_tasks_and_metrics_come_for_each() -> None:
    ranker, losses = trained([clicks(seed) for seed in range(60)])
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    predictions = scored(ranker, clicks(999, 2000))
    assert predictions.probability.shape == (2000, 2)
    metrics = predictions.metrics().as_dict()
    assert list(metrics["tasks"]) == ["click", "like"]
    for task in TASKS:
        assert metrics["tasks"][task]["auc"] > 0.62
        assert 0.9 < metrics["tasks"][task]["calibration_ratio"] < 1.1
    assert metrics["auc"] == pytest.approx(np.mean([metrics["tasks"][task]["auc"] for task in TASKS]), abs=1e-6)
    plateau = Plateau(StoppingSettings(monitor="like.gauc", min_delta=0, patience=1), learning_rate=0.1)
    assert plateau.judge(metrics).improved
    assert plateau.judge(metrics).stop


def test_each_task_reads_its_own_column_of_labels() -> None:
    ranker, _ = trained([clicks(seed) for seed in range(60)])
    predictions = scored(ranker, clicks(999, 2000))
    swapped = Predictions(
        label=predictions.label[:, ::-1].copy(), probability=predictions.probability, tasks=predictions.tasks
    )
    assert swapped.metrics().value("auc") < predictions.metrics().value("auc") - 0.05


def test_weights_change_what_is_learned() -> None:
    test = clicks(999, 2000)
    rates = {
        weight: scored(trained([clicks(seed, weight=weight) for seed in range(60)])[0], test).probability.mean(axis=0)
        for weight in (None, 1.0, 0.25)
    }
    assert rates[1.0] == pytest.approx(rates[None], abs=1e-3)
    assert rates[0.25][0] > rates[None][0] + 0.1  # examples without a click have a quarter of the weight


def test_metrics_by_weight_fit_a_ranker_that_was_trained_by_weight() -> None:
    ranker, _ = trained([clicks(seed, weight=0.25) for seed in range(60)])
    weighted, plain = (scored(ranker, clicks(999, 2000, weight=weight)).metrics() for weight in (0.25, None))
    assert weighted.value("click.calibration_ratio") == pytest.approx(1, abs=0.1)
    assert plain.value("click.calibration_ratio") > 1.2


def test_a_task_of_weight_zero_is_not_learned() -> None:
    objective = BinaryCrossEntropy([1.0, 0.0])
    ranker, _ = trained([clicks(seed) for seed in range(60)], objective)
    metrics = scored(ranker, clicks(999, 2000)).metrics()
    assert metrics.value("click.auc") > 0.62
    assert metrics.value("like.auc") < 0.6


def test_slices_of_a_weighted_batch_of_two_tasks_are_its_step() -> None:
    batches = [clicks(seed, weight=0.3) for seed in range(5)]
    whole, in_slices = two_task_ranker(), two_task_ranker()
    for ranker, size in ((whole, 256), (in_slices, 37)):
        with closing(stepper_of(ranker, training_settings(learning_rate=0.01, slice_examples=size))) as stepper:
            for batch in batches:
                stepper.step(batch)
    for (name, one), other in zip(whole.named_parameters(), in_slices.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5), name

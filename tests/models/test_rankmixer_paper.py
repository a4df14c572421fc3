"""Training of RankMixer with ReLU experts; tests/models/test_references.py holds its logits against loops."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.models.every_model import small
from tests.models.test_build import BATCH, SCHEMA

from rankelastor.errors import SettingsError
from rankelastor.models.build import build_ranker
from rankelastor.nn.ffn.relu_experts import ReluExperts
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.training.step import Stepper


def test_while_training_with_two_routers_the_logits_by_either_are_returned() -> None:
    torch.manual_seed(0)
    ranker = build_ranker(small("rankmixer_paper-experts"), replace(SCHEMA, tasks=("click", "like")))
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    both = ranker(BATCH)
    assert both.shape == (3, 2, 2)
    torch.testing.assert_close(both[..., 0], ranker.eval()(BATCH))
    assert not torch.allclose(both[..., 0], both[..., 1])


def test_either_router_learns_from_the_labels() -> None:
    ranker = build_ranker(small("rankmixer_paper-experts"), SCHEMA)
    batch = replace(BATCH, labels=torch.tensor([[1.0], [0.0], [1.0]]))
    logits = ranker(batch)
    parts = BinaryCrossEntropy(parts_learn_from=ranker.parts_learn_from, part_weight=ranker.part_weight)
    plain = BinaryCrossEntropy()
    expected = sum(plain(logits[..., part], batch, total=3.0) for part in range(2))
    torch.testing.assert_close(parts(logits, batch, total=3.0), expected)


@pytest.mark.parametrize("name", ["rankmixer_paper-experts", "rankmixer_paper-one_router"])
def test_a_training_step_moves_the_penalty_of_every_block_once(name: str) -> None:
    from rankelastor.config.execution import ExecutionSettings  # noqa: PLC0415 - used by this test alone
    from rankelastor.config.optimiser import OptimiserSettings  # noqa: PLC0415

    ranker = build_ranker(small(name), SCHEMA)
    batch = replace(BATCH, labels=torch.tensor([[1.0], [0.0], [1.0]]))
    stepper = Stepper(ranker, OptimiserSettings(), ExecutionSettings(), batch_size=3)
    layers = [module for module in ranker.modules() if isinstance(module, ReluExperts)]
    before = [float(layer.penalty) for layer in layers]
    stepper.step(batch)
    stepper.close()
    ratios = [float(layer.penalty) / old for layer, old in zip(layers, before, strict=True)]
    assert len(ratios) == 2
    assert all(min(abs(ratio - factor) for factor in (1.2, 1.0, 1 / 1.2)) < 1e-5 for ratio in ratios)


def test_tokens_must_divide_their_width() -> None:
    with pytest.raises(SettingsError, match=r"model\.num_tokens must divide token_dim = 4 .* but 3 was given"):
        build_ranker(small("rankmixer_paper", num_tokens=3), SCHEMA)

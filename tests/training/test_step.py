"""Tests of the step against a naive implementation of the published protocol."""

import copy
from dataclasses import replace

import pytest
import torch
from tests.models.test_cost import SETTINGS
from tests.training.steppers import stepper_of, training_settings
from torch.nn.functional import binary_cross_entropy_with_logits

from rankelastor.config.training import TrainingSettings
from rankelastor.errors import SettingsError
from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature

SCHEMA = FeatureSchema((CategoricalFeature("site", 11), NumericFeature("price")))


def batch(seed: int, num_examples: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        categorical=torch.randint(0, 11, (num_examples, 1), generator=generator, dtype=torch.int32),
        numeric=torch.randn(num_examples, 1, generator=generator),
        labels=torch.randint(0, 2, (num_examples, 1), generator=generator).float(),
        group=None,
    )


def fresh_ranker() -> Ranker:
    torch.manual_seed(0)
    ranker = build_ranker(SETTINGS, SCHEMA)
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    return ranker


def naive_steps(ranker: Ranker, settings: TrainingSettings, batches: list[Batch]) -> list[float]:
    chosen = settings.optimiser
    optimiser = torch.optim.Adam(ranker.parameters(), lr=chosen.learning_rate, betas=(0.9, 0.999), foreach=False)
    losses = []
    for examples in batches:
        optimiser.zero_grad()
        loss = binary_cross_entropy_with_logits(ranker(examples), examples.labels)  # type: ignore[arg-type]
        penalty = chosen.embedding_l2 / 2 * ranker.embedding.table.pow(2).sum()
        (loss + penalty).backward()
        if chosen.clip_norm is not None:
            norm = torch.cat([p.grad.flatten() for p in ranker.parameters() if p.grad is not None]).norm()
            for parameter in ranker.parameters():
                if parameter.grad is not None:
                    parameter.grad *= min(1.0, chosen.clip_norm / (norm.item() + 1e-6))
        optimiser.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("clip_norm", [None, 10.0, 0.05])
@pytest.mark.parametrize("embedding_l2", [0.0, 0.1])
def test_steps_equal_the_published_protocol(clip_norm: float | None, embedding_l2: float) -> None:
    settings = training_settings(learning_rate=0.01, clip_norm=clip_norm, embedding_l2=embedding_l2)
    ours, naive = fresh_ranker(), fresh_ranker()
    batches = [batch(seed) for seed in range(6)]
    stepper = stepper_of(ours, settings)
    losses = [stepper.step(examples).item() for examples in batches]
    assert losses == pytest.approx(naive_steps(naive, settings, batches), abs=1e-5)
    for (name, mine), theirs in zip(ours.named_parameters(), naive.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-4), name


def test_l2_reaches_rows_that_the_batch_did_not_touch() -> None:
    ranker = fresh_ranker()
    examples = copy.copy(batch(0))
    examples.categorical.fill_(1)
    before = ranker.embedding.table[5].detach().clone()
    stepper_of(ranker, training_settings(embedding_l2=0.1)).step(examples)
    assert (ranker.embedding.table[5].detach().abs() < before.abs()).all()


def test_the_padding_row_stays_zero() -> None:
    ranker = fresh_ranker()
    stepper = stepper_of(ranker, training_settings(embedding_l2=0.1))
    for seed in range(3):
        stepper.step(batch(seed))
    assert ranker.embedding.table[0].abs().sum() == 0


def test_the_loss_is_without_the_penalty() -> None:
    losses = [
        stepper_of(fresh_ranker(), training_settings(embedding_l2=strength)).step(batch(0)).item()
        for strength in (0, 9)
    ]
    assert losses[0] == losses[1]


def test_a_rate_of_almost_zero_changes_almost_nothing() -> None:
    ranker = fresh_ranker()
    stepper = stepper_of(ranker, training_settings(learning_rate=0.1))
    stepper.set_learning_rate(1e-12)
    before = ranker.embedding.table.detach().clone()
    stepper.step(batch(0))
    assert torch.allclose(before, ranker.embedding.table, atol=1e-9)


def test_lazy_updates_equal_dense_ones_where_gaps_are_short() -> None:
    rankers = [fresh_ranker(), fresh_ranker()]
    for ranker, updates in zip(rankers, ("dense", "lazy"), strict=True):
        settings = training_settings(learning_rate=0.01, embedding_l2=0.1, embedding_updates=updates)
        stepper = stepper_of(ranker.eval(), settings)
        for seed in range(12):
            stepper.step(batch(seed, 3))
        stepper.complete_rows()
        stepper.close()
    for (name, one), other in zip(rankers[0].named_parameters(), rankers[1].parameters(), strict=True):
        assert torch.allclose(one, other, atol=2e-5), name


def step_all(settings: TrainingSettings) -> dict[str, torch.Tensor]:
    """Take six steps of three examples, and return the parameters."""
    ranker = fresh_ranker().eval()
    stepper = stepper_of(ranker, settings)
    for seed in range(6):
        stepper.step(batch(seed, 3))
    stepper.complete_rows()
    stepper.close()
    return dict(ranker.named_parameters())


def test_row_wise_adagrad_is_that_of_loops_and_the_rest_is_adam() -> None:
    optimiser = {
        "embedding_rule": "rowwise_adagrad", "embedding_learning_rate": 0.2, "learning_rate": 0.01,
        "clip_norm": None, "embedding_l2": 0.1,
    }  # fmt: skip
    ours = step_all(training_settings(optimiser=optimiser))
    ranker = fresh_ranker().eval()
    table = ranker.embedding.table
    adam = torch.optim.Adam([p for p in ranker.parameters() if p is not table], lr=0.01)
    sums = [0.0] * len(table)
    for examples in [batch(seed, 3) for seed in range(6)]:
        ranker.zero_grad()
        binary_cross_entropy_with_logits(ranker(examples), examples.labels).backward()  # type: ignore[arg-type]
        adam.step()
        assert table.grad is not None
        with torch.no_grad():
            for row in set(examples.categorical.flatten().tolist()) - {0}:
                gradient = table.grad[row] + 0.1 * table[row]
                sums[row] += gradient.square().mean().item()
                table[row] -= 0.2 * gradient / (sums[row] ** 0.5 + 1e-8)
    for name, expected in ranker.named_parameters():
        assert torch.allclose(ours[name], expected, atol=1e-5), name


def test_weight_decay_shrinks_the_products_alone() -> None:
    decayed, plain = (step_all(training_settings(optimiser={"weight_decay": decay})) for decay in (0.5, 0.0))
    assert decayed["network.tokenizer.mlp.out.weight"].norm() < plain["network.tokenizer.mlp.out.weight"].norm()


@pytest.mark.parametrize("updates", ["dense", "lazy"])
def test_rows_of_their_own_rate_move_by_it(updates: str) -> None:
    def settings(**optimiser: float) -> TrainingSettings:
        return training_settings(optimiser=optimiser, embedding_updates=updates, batch_size=3)

    slow = step_all(settings(embedding_learning_rate=1e-9, learning_rate=0.01))
    same, plain = (step_all(settings(learning_rate=0.01, **more)) for more in ({"embedding_learning_rate": 0.01}, {}))
    before = dict(fresh_ranker().named_parameters())
    assert torch.allclose(slow["embedding.table"], before["embedding.table"], atol=1e-6)
    assert not torch.allclose(slow["network.tokenizer.mlp.out.weight"], before["network.tokenizer.mlp.out.weight"])
    assert all(torch.equal(same[name], plain[name]) for name in plain)


@pytest.mark.parametrize("updates", ["dense", "lazy"])
def test_a_table_frozen_between_steps_stays_as_it_is(updates: str) -> None:
    ranker = fresh_ranker()
    stepper = stepper_of(ranker, training_settings(embedding_l2=0.1, embedding_updates=updates))
    stepper.step(batch(0))
    stepper.complete_rows()
    before = ranker.embedding.table.requires_grad_(False).clone()
    stepper.step(batch(1))
    stepper.complete_rows()
    assert torch.equal(ranker.embedding.table, before)
    ranker.embedding.table.requires_grad_(True)
    stepper.step(batch(1))
    stepper.complete_rows()
    assert not torch.equal(ranker.embedding.table, before)
    stepper.close()


def test_large_tables_are_updated_lazily_and_small_ones_densely() -> None:
    ranker = fresh_ranker()
    chosen = [stepper_of(ranker, training_settings(batch_size=size)).updates_rows_lazily for size in (1, 5, 6, 4096)]
    assert chosen == [
        True,
        True,
        False,
        False,
    ]  # 11 rows; each example has one look-up, and the threshold is two per row


def test_lazy_updates_on_another_device_are_an_error() -> None:
    with pytest.raises(SettingsError, match=r"must run on the CPU, but the device is meta; try .*=dense"):
        stepper_of(fresh_ranker().to("meta"), training_settings(embedding_updates="lazy"))


def test_a_weight_of_two_is_the_row_twice_and_a_weight_of_zero_leaves_it_out() -> None:
    settings, examples = training_settings(learning_rate=0.01), batch(0, 4)
    repeats = torch.tensor([2, 0, 1, 1])
    weighted = replace(examples, weight=repeats.float())
    assert examples.labels is not None
    repeated = Batch(
        categorical=examples.categorical.repeat_interleave(repeats, dim=0),
        numeric=examples.numeric.repeat_interleave(repeats, dim=0),
        labels=examples.labels.repeat_interleave(repeats, dim=0),
        group=None,
    )
    rankers = [fresh_ranker().eval(), fresh_ranker().eval()]
    losses = [
        [stepper_of(ranker, settings).step(given).item() for _ in range(3)]
        for ranker, given in zip(rankers, (weighted, repeated), strict=True)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    for (name, one), other in zip(rankers[0].named_parameters(), rankers[1].parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5), name


def test_a_step_minimises_the_objective_that_it_is_given() -> None:
    class Doubled(BinaryCrossEntropy):
        def __call__(self, logits: torch.Tensor, batch: Batch, *, total: torch.Tensor | float) -> torch.Tensor:
            return 2 * super().__call__(logits, batch, total=total)

    plain = stepper_of(fresh_ranker()).step(batch(0))
    doubled = stepper_of(fresh_ranker(), objective=Doubled()).step(batch(0))
    assert doubled.item() == pytest.approx(2 * plain.item())


@pytest.mark.parametrize(("tiny", "inside"), [(0, 2), (10**9, 1)])
def test_a_step_of_tiny_work_runs_on_one_core(monkeypatch: pytest.MonkeyPatch, tiny: int, inside: int) -> None:
    monkeypatch.setattr("rankelastor.execution.cores.TINY_WORK", tiny)
    seen: set[int] = set()
    stepper = stepper_of(fresh_ranker(), on_phase=lambda _: seen.add(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        stepper.step(batch(1))
        assert (seen, torch.get_num_threads()) == ({inside}, 2)
        stepper.close()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("coupled", "threads"), [(False, 2), (True, 1)])
def test_a_batch_of_one_slice_has_all_cores(monkeypatch: pytest.MonkeyPatch, coupled: bool, threads: int) -> None:
    """Several threads with one core each would leave all but one idle where layers couple examples."""
    monkeypatch.setattr("rankelastor.execution.cores.BUSY_WORK", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        ranker = fresh_ranker()
        if coupled:
            ranker.network.couples_examples = True  # type: ignore[assignment]
        stepper = stepper_of(ranker)
        stepper.step(batch(1))
        assert stepper._num_threads == threads
        stepper.close()
    finally:
        torch.set_num_threads(before)

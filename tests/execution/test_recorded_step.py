"""A recorded step computes what the step itself does, and everything that cannot be recorded runs as it is."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import pytest
import torch
from tests.execution.test_compiling import fresh
from tests.training.steppers import stepper_of, training_settings
from tests.training.test_step import batch
from torch import Tensor, nn

from rankelastor.config.training import TrainingSettings
from rankelastor.execution import recorded_step
from rankelastor.execution.recorded_step import WARM_UPS, RecordedStep
from rankelastor.models.ranker import Ranker
from rankelastor.schema import Batch

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
CUDA = torch.device("cuda")
SIZES = (64, 64, 64, 64, 64, 9, 64, 64)
"""Three warm-ups, two steps of a recording, a small batch, two more."""


class Heard:
    """In place of CUDA: notes how each step is taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> None:
        self.how: list[str] = []
        heard = self

        class Recording:
            def __init__(self, _step: object, _model: object, _batch: object, state: object) -> None:
                heard.how.append("recorded")
                self.state = state
                if fails:
                    raise RuntimeError("operation not permitted when stream is capturing\nand advice")

            def replay(self, _batch: Batch) -> Tensor:
                heard.how.append("replayed")
                return torch.zeros(())

        monkeypatch.setattr(recorded_step, "_Recording", Recording)
        monkeypatch.setattr(RecordedStep, "_beside", lambda itself, examples: itself._step(examples))

    def step(self, examples: Batch) -> Tensor:
        self.how.append(str(examples.num_examples))
        return torch.zeros(())


def examples(count: int) -> Batch:
    return Batch(categorical=torch.ones(count, 1), numeric=torch.ones(count, 0), labels=None, group=None)


def test_a_step_is_recorded_after_the_warm_ups_and_replayed_but_for_small_batches(
    monkeypatch: pytest.MonkeyPatch, without_shape_checks: None
) -> None:
    del without_shape_checks
    heard = Heard(monkeypatch)
    step = RecordedStep(heard.step, nn.Linear(2, 2))
    for count in SIZES:
        step(examples(count))
    assert heard.how == [*["64"] * WARM_UPS, "recorded", "replayed", "replayed", "9", "replayed", "replayed"]
    assert step.is_recorded


def drop_more(model: nn.Sequential) -> None:
    cast("nn.Dropout", model[1]).p = 0.5


def freeze(model: nn.Sequential) -> None:
    model[0].weight.requires_grad_(False)


def swap(model: nn.Sequential) -> None:
    model[0] = nn.Linear(2, 2)


def give_other_weights(model: nn.Sequential) -> None:
    model[0].weight.data = torch.zeros(2, 2)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("change", [drop_more, freeze, swap, give_other_weights, nn.Module.eval])
def test_what_no_tensor_holds_makes_a_new_recording(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(monkeypatch)
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1))
    step = RecordedStep(heard.step, model)
    for index in range(WARM_UPS + 4):
        if index == WARM_UPS + 2:
            change(model)
        step(examples(8))
    assert heard.how[WARM_UPS:] == ["recorded", "replayed", "replayed"] * 2


@pytest.mark.usefixtures("without_shape_checks")
def test_a_module_with_hooks_is_heard_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(monkeypatch)
    model = nn.Linear(2, 2)
    model.register_forward_hook(lambda *_: None)
    step = RecordedStep(heard.step, model)
    for _ in range(5):
        step(examples(8))
    assert heard.how == ["8"] * 5


@pytest.mark.usefixtures("without_shape_checks")
def test_a_step_that_cannot_be_recorded_runs_as_it_is_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorded_step._warn_that_recording_failed.cache_clear()
    heard = Heard(monkeypatch, fails=True)
    step = RecordedStep(heard.step, nn.Linear(2, 2))
    for _ in range(WARM_UPS + 2):
        step(examples(8))
    assert heard.how == [*["8"] * WARM_UPS, "recorded", "8", "8"]
    (warning,) = caplog.records
    assert "failed: operation not permitted when stream is capturing; each step" in warning.getMessage()
    assert "try training.record=never" in warning.getMessage()


def cuda_steps(training: TrainingSettings, *, rates: tuple[float, ...] = ()) -> tuple[list[float], Ranker, str]:
    ranker = fresh().to(CUDA)
    stepper = stepper_of(ranker, training)
    losses = []
    for seed, count in enumerate(SIZES):
        if seed < len(rates):
            stepper.set_learning_rate(rates[seed])
        losses.append(stepper.step(batch(seed, count)))
    stepper.close()
    return [loss.item() for loss in losses], ranker, stepper.executor


@pytest.mark.cuda
@needs_cuda
@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 2e-2)])
@pytest.mark.parametrize("compiled", ["never", "always"])
def test_on_cuda_replays_learn_what_steps_do(compiled: str, precision: str, tolerance: float) -> None:
    training = partial(training_settings, learning_rate=0.01, embedding_l2=0.1, precision=precision, compile=compiled)
    rates = (0.01, 0.01, 0.01, 0.01, 0.01, 0.002, 0.002, 0.03)
    runs = [cuda_steps(training(record=record), rates=rates) for record in ("auto", "never")]
    assert runs[0][2] == ("recorded" if compiled == "never" else "compiled")
    assert runs[0][0] == pytest.approx(runs[1][0], abs=tolerance)
    for ours, theirs in zip(runs[0][1].parameters(), runs[1][1].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=10 * tolerance, rtol=0)


@pytest.mark.cuda
@needs_cuda
@pytest.mark.usefixtures("unchecked_shapes")
def test_on_cuda_a_replay_draws_new_dropout_masks() -> None:
    ranker = fresh(0.4).to(CUDA)
    training = training_settings(learning_rate=0.0 + 1e-12, embedding_l2=0.0, compile="never")
    stepper = stepper_of(ranker, training)
    losses = [stepper.step(batch(0, 64)).item() for _ in range(WARM_UPS + 4)][WARM_UPS:]
    stepper.close()
    assert stepper.executor == "recorded"
    assert len({round(loss, 6) for loss in losses}) == len(losses)


@pytest.mark.cuda
@needs_cuda
@pytest.mark.usefixtures("unchecked_shapes")
def test_on_cuda_a_watched_step_between_replays_is_heard() -> None:
    ranker = fresh().to(CUDA)
    stepper = stepper_of(ranker, training_settings(compile="never"))
    heard: list[int] = []
    for seed in range(8):
        if seed == 6:
            handle = ranker.points["tokens"].register_forward_hook(lambda *given: heard.append(len(given[2])))
        stepper.step(batch(seed, 64))
    handle.remove()
    stepper.step(batch(8, 64))
    assert stepper.executor == "recorded"
    assert heard == [64, 64]


@pytest.mark.cuda
@needs_cuda
@pytest.mark.usefixtures("unchecked_shapes")
def test_on_cuda_gradients_of_the_last_step_are_those_of_its_examples() -> None:
    gradients = []
    for record in ("auto", "never"):
        ranker = fresh().to(CUDA)
        stepper = stepper_of(ranker, training_settings(compile="never", record=record, learning_rate=0.01))
        for seed, count in enumerate(SIZES):
            stepper.step(batch(seed, count))
        gradients.append([parameter.grad for parameter in ranker.parameters()])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)

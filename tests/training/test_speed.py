import pytest
import torch

from rankelastor.config.execution import ExecutionSettings
from rankelastor.execution.machine_peak import PROBE_SECONDS, machine_peak
from rankelastor.models.cost import Cost
from rankelastor.training import speed
from rankelastor.training.speed import peak_memory_bytes, speed_of

CPU = torch.device("cpu")
COST = Cost(dense_parameters=1, embedding_parameters=1, flops_per_example=100, training_flops_per_example=300)


def test_flops_a_second_and_their_share_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "machine_peak", lambda *_: 6e5)
    found = speed_of(COST, examples_per_second=500, seconds=1, execution=ExecutionSettings(), device=CPU)
    assert found.dense_flops_per_second == 300 * 500
    assert found.share_of_machine_peak == pytest.approx(0.25)


@pytest.mark.parametrize(("seconds", "probe"), [(2.0, 0.04), (100.0, PROBE_SECONDS)])
def test_measuring_the_peak_adds_little_to_a_short_training(
    seconds: float, probe: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def peak(_settings: ExecutionSettings, _device: torch.device, for_seconds: float) -> float:
        asked.append(for_seconds)
        return 1e9

    monkeypatch.setattr(speed, "machine_peak", peak)
    speed_of(COST, examples_per_second=500, seconds=seconds, execution=ExecutionSettings(), device=CPU)
    assert asked == [pytest.approx(probe)]


def test_what_is_not_known_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "machine_peak", lambda *_: 6e5)
    monkeypatch.setattr(speed, "peak_memory_bytes", lambda: None)
    names = set(speed_of(COST, examples_per_second=500, seconds=1, execution=ExecutionSettings(), device=CPU).as_dict())
    assert names == {"dense_flops_per_second", "machine_peak_flops_per_second", "share_of_machine_peak"}


def test_peak_memory_sees_what_was_allocated_and_freed() -> None:
    before = peak_memory_bytes()
    assert before is not None
    held = torch.ones(before // 4 + 75_000_000)  # more bytes than the present peak of the process
    del held
    after = peak_memory_bytes()
    assert after is not None
    assert after > before + 100_000_000


def test_the_peak_is_measured_once_and_leaves_random_numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = machine_peak(ExecutionSettings(), CPU)
    assert first > 1e8  # any machine that runs PyTorch multiplies matrices faster than this
    assert torch.equal(torch.get_rng_state(), state)
    monkeypatch.setattr(torch, "mm", None)  # a second measurement would fail
    assert machine_peak(ExecutionSettings(slice_examples=2), CPU) == first

import pytest
import torch

from rankelastor.config.training import TrainingSettings
from rankelastor.errors import SettingsError
from rankelastor.training import device
from rankelastor.training.device import autocast, choose_device


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_cuda_where_there_is_none_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"cuda was given and torch finds none; try training\.device=cpu"):
        choose_device(TrainingSettings(device="cuda"))
    assert choose_device(TrainingSettings(device="auto")).type == "cpu"


def test_bf16_computes_products_in_bf16_and_fp32_does_not() -> None:
    layer, x = torch.nn.Linear(4, 4), torch.randn(2, 4)
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with autocast(TrainingSettings(precision=precision), torch.device("cpu")):
            assert layer(x).dtype == dtype


def test_threads_are_set() -> None:
    before = torch.get_num_threads()
    try:
        choose_device(TrainingSettings(threads=1, device="cpu"))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_slow_bf16_works_and_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("rankelastor.training.device.bf16_speed_up", lambda: 0.5)
    device._say_that_bf16_is_slow.cache_clear()
    for _ in range(2):
        assert choose_device(TrainingSettings(precision="bf16", device="cpu")).type == "cpu"
    (record,) = caplog.records
    assert "0.5 times as fast" in record.getMessage()
    assert "try training.precision=fp32" in record.getMessage()


def test_the_probe_gives_a_ratio() -> None:
    assert 0 < device.bf16_speed_up() < 100

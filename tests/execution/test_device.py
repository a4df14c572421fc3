import pytest
import torch

from rankelastor.config.execution import ExecutionSettings
from rankelastor.errors import SettingsError
from rankelastor.execution import device
from rankelastor.execution.device import autocast, choose_device, precision_name


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_cuda_where_there_is_none_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"cuda was given and torch finds none; try training\.device=cpu"):
        choose_device(ExecutionSettings(device="cuda"))
    assert choose_device(ExecutionSettings(device="auto")).type == "cpu"


def test_bf16_computes_products_in_bf16_and_fp32_does_not() -> None:
    layer, x = torch.nn.Linear(4, 4), torch.randn(2, 4)
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with autocast(ExecutionSettings(precision=precision), torch.device("cpu")):
            assert layer(x).dtype == dtype


def test_choosing_a_device_leaves_the_threads_alone() -> None:
    before = torch.get_num_threads()
    choose_device(ExecutionSettings(threads=before + 1, device="cpu"))
    assert torch.get_num_threads() == before


def test_slow_bf16_works_and_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("rankelastor.execution.device.bf16_speed_up", lambda: 0.5)
    device._warn_that_bf16_is_slow.cache_clear()
    for _ in range(2):
        assert choose_device(ExecutionSettings(precision="bf16", device="cpu")).type == "cpu"
    (record,) = caplog.records
    assert "0.5 times as fast" in record.getMessage()
    assert "try training.precision=fp32" in record.getMessage()


def test_the_probe_gives_a_ratio() -> None:
    assert 0 < device.bf16_speed_up() < 100


@pytest.mark.parametrize(("speed_up", "sizes"), [(0.1, [128]), (0.6, [128, 512]), (5.0, [128, 512])])
def test_large_products_are_left_out_where_small_ones_are_hopeless(
    speed_up: float, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def seconds(size: int, dtype: torch.dtype) -> float:
        if dtype == torch.float32:
            asked.append(size)
        return 1.0 if dtype == torch.float32 else 1 / speed_up

    monkeypatch.setattr(device, "_seconds_of_product", seconds)
    assert device.bf16_speed_up.__wrapped__() == pytest.approx(speed_up)
    assert asked == sizes


CPU = torch.device("cpu")


@pytest.mark.parametrize(("speed_up", "chosen"), [(0.6, "fp32"), (1.49, "fp32"), (1.5, "bf16"), (7.0, "bf16")])
def test_auto_takes_bf16_on_a_cpu_where_its_products_are_clearly_faster(
    speed_up: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "bf16_speed_up", lambda: speed_up)
    assert precision_name(ExecutionSettings(precision="auto"), CPU) == chosen
    with autocast(ExecutionSettings(precision="auto"), CPU):
        dtype = torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype
    assert dtype == (torch.bfloat16 if chosen == "bf16" else torch.float32)


@pytest.mark.parametrize("native", [True, False])
def test_auto_takes_bf16_on_a_gpu_that_has_it_in_hardware(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def is_supported(*, including_emulation: bool) -> bool:
        asked.append(including_emulation)
        return native

    device._has_native_bf16.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    name = precision_name(ExecutionSettings(precision="auto"), torch.device("cuda"))
    device._has_native_bf16.cache_clear()
    assert name == ("bf16" if native else "fp32")
    assert asked == [False]  # every device "supports" it by emulation


def test_the_default_stays_fp32_whatever_the_probe_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "bf16_speed_up", lambda: 9.0)
    assert precision_name(ExecutionSettings(), CPU) == "fp32"


def test_what_auto_chose_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(device, "bf16_speed_up", lambda: 1.2)
    device._log_automatic_precision.cache_clear()
    caplog.set_level("INFO", logger="rankelastor")
    for _ in range(2):
        choose_device(ExecutionSettings(precision="auto", device="cpu"))
    (record,) = caplog.records
    assert record.getMessage() == (
        "training.precision=auto is fp32 here: products in bf16 are 1.2 times as fast as in fp32 on this CPU"
    )

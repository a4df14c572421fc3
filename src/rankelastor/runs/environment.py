"""The environment of a run: versions, device, commit."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from rankelastor.execution.device import bf16_speed_up
from rankelastor.execution.lowering import describe_kernels, kernels_key

_PACKAGES = ("rankelastor", "torch", "numpy", "polars", "pyarrow", "pydantic", "safetensors", "scikit-learn")


def describe_environment(device: torch.device) -> dict[str, object]:
    """Collect versions, device, processor, threads and commit as plain values; unknown values are None."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "kernels": describe_kernels(),
        "bf16_speed_up": round(bf16_speed_up(), 2),
        "commit": _commit(),
    }


def describe_arithmetic(device: torch.device) -> dict[str, object]:
    """Collect what the bits of a result depend on beside settings and data, as plain values."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "processor": _processor(),
        "instruction set": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "kernels": describe_kernels(),
        "build of the kernels": kernels_key(),
        "rankelastor": _version("rankelastor"),
        "torch": _version("torch"),
        "numpy": _version("numpy"),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else None


def _commit() -> str | None:
    """Read the commit of the checkout that contains this package; None for an installed package."""
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", "--dirty", "--abbrev=12") or None
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    return finished.stdout.strip()

"""Settings of where and how a ranker is computed; apart from rounding and dropout masks none changes the result."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from rankelastor.config.base import Settings

Precision = Literal["fp32", "bf16"]
ExecutorName = Literal["eager", "kernels", "compiled"]
"""How the training steps are computed: by plain layers, by kernels in place of layers, or by compiled code."""


class ExecutionSettings(Settings):
    """Device, precision, and settings that save time and memory.

    ``precision``: precision of the matrix products; ``auto`` is bf16 where the device is fast in it, else fp32.
    ``compile``: whether to compile the training step with ``torch.compile`` (on CUDA with CUDA graphs); ``auto``
    compiles on CUDA only.
    ``device``: ``auto`` is CUDA if there is a device. ``threads``: number of CPU threads; null keeps that of PyTorch.
    ``slice_examples``: examples computed at a time on the CPU; null chooses a number that bounds the memory of the
    backward pass.
    ``embedding_updates``: ``dense`` updates every embedding row at every step, as published; ``lazy`` updates a row
    when a batch next looks it up, and makes up for the steps it missed; ``auto`` is lazy on the CPU for tables with
    more than twice as many rows as a batch has look-ups.
    ``read_ahead``: number of batches that a thread prepares ahead of the steps; 0 prepares each when it is needed.
    """

    precision: Literal["auto", Precision] = "fp32"
    compile: Literal["auto", "always", "never"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt | None = None
    slice_examples: PositiveInt | None = None
    embedding_updates: Literal["auto", "dense", "lazy"] = "auto"
    read_ahead: NonNegativeInt = 8

"""Settings of where and how a ranker is computed: none of them changes what is computed, but for rounding."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from rankelastor.config.base import Settings

Precision = Literal["fp32", "bf16"]
ExecutorName = Literal["eager", "kernels", "compiled"]
"""What computed the training steps: plain layers, kernels in their place, or compiled code."""


class ExecutionSettings(Settings):
    """Device, precision and the ways to save time and memory.

    ``precision`` of the matrix products: ``auto`` is bf16 where this device has it fast, else fp32.
    ``compile`` the training step with ``torch.compile``, with CUDA graphs on CUDA: ``auto`` does on CUDA alone.
    ``device``: ``auto`` takes CUDA where there is a device. ``threads``: CPU threads; null leaves them to torch.
    ``slice_examples``: examples computed at a time on the CPU; null: as many as keep the memory of the backward pass
    within a bound.
    ``embedding_updates``: ``dense`` steps every embedding row at every step, as published; ``lazy`` makes a row's
    missed steps up when it is next touched; ``auto`` is lazy on the CPU for tables of more than twice as many rows as
    a batch looks up.
    ``read_ahead``: batches that a thread makes ahead of the steps; 0 makes each when its step asks for it.
    """

    precision: Literal["auto", Precision] = "fp32"
    compile: Literal["auto", "always", "never"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt | None = None
    slice_examples: PositiveInt | None = None
    embedding_updates: Literal["auto", "dense", "lazy"] = "auto"
    read_ahead: NonNegativeInt = 8

"""Settings of where and how a ranker is computed; apart from rounding and dropout masks none changes the result."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from rankelastor.config.base import Settings

Precision = Literal["fp32", "bf16"]
ExecutorName = Literal["eager", "kernels", "compiled", "recorded"]
"""How the training steps are computed: by plain layers, by kernels in place of layers, by compiled code, or by plain
layers whose launches on a GPU are recorded."""


class ExecutionSettings(Settings):
    """Device, precision, and settings that save time and memory."""

    precision: Literal["auto", Precision] = Field(
        "fp32",
        description="Precision of the matrix products; `auto` is bf16 where the device is fast in it, else fp32.",
    )
    compile: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether to compile the network with `torch.compile`; `auto` compiles large steps on CUDA only, "
        "where it saves more than the 20 seconds that it takes.",
    )
    record: Literal["auto", "never"] = Field(
        "auto",
        description="Whether a training step on CUDA is recorded as one CUDA graph and replayed, and that of a small "
        "model on the CPU as a list of operations, with the same bits; `auto` records where no hook listens.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Device that computes the ranker; `auto` is CUDA if there is such a device, else the CPU."
    )
    threads: PositiveInt | None = Field(
        None,
        description="Number of CPU threads; null keeps that of PyTorch, up to the quota of a container.",
    )
    slice_examples: PositiveInt | None = Field(
        None,
        description="Number of examples that the CPU computes at a time; null chooses a number that bounds the memory "
        "of the backward pass.",
    )
    embedding_updates: Literal["auto", "dense", "lazy"] = Field(
        "auto",
        description="When embedding rows are updated: `dense` updates every row at every step, as published; `lazy` "
        "updates a row when a batch next looks it up, and makes up for the steps it missed; `auto` is lazy on the CPU "
        "for tables with more than twice as many rows as a batch has look-ups.",
    )
    read_ahead: NonNegativeInt = Field(
        8, description="Number of batches that a thread prepares ahead of the steps; 0 prepares each when it is needed."
    )

"""Settings of training; the defaults are the protocol of the published figures."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from rankelastor.config.base import Settings


class RareAsUnseenSettings(Settings):
    """Rare values that stand in for unseen ones while training, so that the out-of-vocabulary row learns.

    Each time a value is met that the train split holds at most ``max_count`` times, it is replaced by out of
    vocabulary with probability ``share``; 0 replaces nothing. Evaluation and prediction replace nothing.

    NOTE[DIFF]: the published protocol replaces nothing, so that with ``min_count: 1`` an unseen value is scored with a
    row that never learned. The defaults were chosen by benchmarks/unseen.py (docs/results.md);
    tests/training/test_rare_as_unseen.py shows that the row learns.
    """

    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    max_count: PositiveInt = 1


class UniformOrder(Settings):
    """Each epoch is a uniform order of all rows: for data that fit the page cache."""

    kind: Literal["uniform"] = "uniform"


class WindowOrder(Settings):
    """Blocks of neighbouring rows are shuffled, then rows within windows of that line: for data larger than memory.

    ``block_rows`` neighbours move together; ``window_rows`` rows are shuffled with each other.
    """

    kind: Literal["window"]
    block_rows: PositiveInt = 8192
    window_rows: PositiveInt = 1_000_000


OrderSettings = Annotated[UniformOrder | WindowOrder, Field(discriminator="kind")]


class TrainingSettings(Settings):
    """The published protocol: Adam, embedding L2 over all rows, clipped gradients, a learning rate that drops.

    ``embedding_l2`` is lambda in (lambda / 2) * sum of squares of all categorical embedding rows, at every step.
    ``clip_norm`` bounds the gradient norm over all parameters; null leaves gradients as they are.
    After each epoch the valid split is scored: a ``monitor`` that does not improve by more than ``min_delta``
    multiplies the learning rate by ``rate_drop`` (not below ``min_learning_rate``); ``patience`` such
    evaluations in a row end the run. The weights of the best evaluation are kept.
    ``rare_as_unseen`` gives the out-of-vocabulary row of each field examples to learn from.
    ``slice_examples``: examples computed at a time on the CPU; null: as many as keep 64 MiB for the backward pass.
    ``embedding_updates``: ``dense`` steps every embedding row at every step, as published; ``lazy`` makes a row's
    missed steps up when it is next touched; ``auto`` is lazy on the CPU for tables of more than twice as many rows as
    a batch looks up.
    ``precision`` of the matrix products: ``auto`` is bf16 where this device has it fast, else fp32.
    ``compile`` the training step with ``torch.compile``, with CUDA graphs on CUDA: ``auto`` does on CUDA alone.
    ``device``: ``auto`` takes CUDA where there is a device. ``threads``: CPU threads; null leaves them to torch.
    ``order``: how each epoch shuffles the rows. ``read_ahead``: batches that a thread makes ahead of the steps; 0 makes
    each when its step asks for it.
    """

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    epochs: PositiveInt = 100
    batch_size: PositiveInt = 4096
    evaluation_batch_size: PositiveInt = 8192
    learning_rate: PositiveFloat = 1e-3
    embedding_l2: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat | None = 10.0
    monitor: Literal["auc", "logloss", "gauc"] = "auc"
    min_delta: NonNegativeFloat = 1e-6
    rate_drop: Annotated[float, Field(gt=0, le=1)] = 0.1
    min_learning_rate: NonNegativeFloat = 1e-6
    patience: PositiveInt = 2
    rare_as_unseen: RareAsUnseenSettings = RareAsUnseenSettings()
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    compile: Literal["auto", "always", "never"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt | None = None
    order: OrderSettings = UniformOrder()
    read_ahead: NonNegativeInt = 8
    slice_examples: PositiveInt | None = None
    embedding_updates: Literal["auto", "dense", "lazy"] = "auto"

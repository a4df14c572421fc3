"""Settings of the optimiser."""

from pydantic import NonNegativeFloat, PositiveFloat

from rankelastor.config.base import Settings


class OptimiserSettings(Settings):
    """Adam with L2 over the embedding rows and clipped gradients.

    ``learning_rate``: learning rate of the first epoch; see ``training.stopping`` for how it falls.
    ``embedding_l2``: lambda in (lambda / 2) * sum of squares of all embedding rows, at every step.
    ``clip_norm``: largest gradient norm over all parameters; null does not clip.
    """

    learning_rate: PositiveFloat = 1e-3
    embedding_l2: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat | None = 10.0

"""Settings of the optimiser."""

from pydantic import NonNegativeFloat, PositiveFloat

from rankelastor.config.base import Settings


class OptimiserSettings(Settings):
    """Adam with L2 over the embedding rows and clipped gradients.

    ``learning_rate``: that of the first epoch; see ``training.stopping`` for how it falls.
    ``embedding_l2`` is lambda in (lambda / 2) * sum of squares of all categorical embedding rows, at every step.
    ``clip_norm`` bounds the gradient norm over all parameters; null leaves gradients as they are.
    """

    learning_rate: PositiveFloat = 1e-3
    embedding_l2: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat | None = 10.0

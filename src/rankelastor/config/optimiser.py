"""Settings of the optimiser."""

from pydantic import Field, NonNegativeFloat, PositiveFloat

from rankelastor.config.base import Settings


class OptimiserSettings(Settings):
    """Adam with L2 over the embedding rows and clipped gradients."""

    learning_rate: PositiveFloat = Field(
        1e-3, description="Learning rate of the first epoch; the settings `training.stopping` say how it falls."
    )
    embedding_l2: NonNegativeFloat = Field(
        0.0,
        description="Lambda in (lambda / 2) * (sum of squares of all embedding rows), the penalty that is added to the "
        "loss at every step; 0 adds none.",
    )
    clip_norm: PositiveFloat | None = Field(
        10.0, description="Largest norm of the gradient of all parameters together; null does not clip."
    )

"""Settings of the optimiser."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from rankelastor.config.base import Settings


class OptimiserSettings(Settings):
    """Adam with L2 over the embedding rows and clipped gradients; AdamW, and Adagrad for the rows, beside it."""

    learning_rate: PositiveFloat = Field(
        1e-3,
        description="Learning rate at which training begins, or which it reaches after warming up; "
        "`training.schedule` and `training.stopping` say how it falls.",
    )
    embedding_l2: NonNegativeFloat = Field(
        0.0,
        description="Lambda in (lambda / 2) * (sum of squares of all embedding rows), the penalty that is added to the "
        "loss at every step; 0 adds none.",
    )
    clip_norm: PositiveFloat | None = Field(
        10.0, description="Largest norm of the gradient of all parameters together; null does not clip."
    )
    weight_decay: NonNegativeFloat = Field(
        0.0,
        description="Strength of the decoupled weight decay (AdamW): at each step the weights of all products outside "
        "the embedding shrink by the factor 1 - learning rate * weight_decay; 0 is Adam.",
    )
    embedding_rule: Literal["adam", "rowwise_adagrad"] = Field(
        "adam",
        description="How embedding rows are updated: `adam` as everything else; `rowwise_adagrad` divides the gradient "
        "of a row by the root of the sum of its mean squares so far, changes the rows of the batch alone, and counts "
        "the L2 of a row when it is looked up. It keeps one number for each row in place of two for each weight.",
    )
    embedding_learning_rate: PositiveFloat | None = Field(
        None,
        description="Learning rate of the embedding rows, which rises and falls as the other does; null is the same "
        "rate. Adagrad needs a larger one than Adam, such as 0.02.",
    )

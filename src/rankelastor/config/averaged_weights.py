"""Settings of averaged weights."""

from pydantic import Field

from rankelastor.config.base import Settings


class AveragedWeightsSettings(Settings):
    """A running average of the weights, which is evaluated and kept in place of the weights of the last step.

    Training itself goes on with the weights. The valid split is scored with the average, so that early stopping, the
    best weights, and all that reads the run have it.
    """

    decay: float = Field(
        0.999,
        gt=0,
        lt=1,
        description="Share of the average that a step keeps: it then spans about 1 / (1 - decay) steps. Step n keeps "
        "the smaller of this and (1 + n) / (10 + n), so that the initial weights are soon forgotten.",
    )

"""Settings of checkpoints, from which a stopped training goes on."""

from pydantic import Field, PositiveFloat, PositiveInt

from rankelastor.config.base import Settings


class CheckpointSettings(Settings):
    """When the whole state of a training is written to the run folder, and how much of it is kept.

    None of these settings changes a result. A checkpoint takes three times the disk of the weights, and as much memory
    while it is written; where so much is not free, the steps wait until it is written.
    """

    every_minutes: PositiveFloat | None = Field(
        5.0, description="Minutes between checkpoints, which are written beside training; null writes none by time."
    )
    every_steps: PositiveInt | None = Field(
        None, description="Number of steps between checkpoints; null writes none by number of steps."
    )
    keep: int = Field(2, ge=2, description="Number of checkpoints that are kept, the newest ones.")
    keep_after_end: bool = Field(
        False,  # noqa: FBT003 - a default
        description="Whether the last checkpoint stays when the run has finished, so that it can be resumed with more "
        "epochs.",
    )

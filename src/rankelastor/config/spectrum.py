"""Settings of the rank samples that are taken during training."""

from typing import Literal, get_args

from pydantic import Field, PositiveInt

from rankelastor.config.base import Settings

MeasureName = Literal[
    "stable_rank", "entropy_effective_rank", "participation_ratio", "information_abundance", "numerical_rank"
]
"""The measures of ``rankelastor.spectrum.measures`` by name."""


class SpectrumSettings(Settings):
    """Samples of the rank of representations during training; sampling does not change the weights."""

    every_steps: PositiveInt | Literal["auto"] | None = Field(
        "auto",
        description="Number of steps from one sample to the next, the first step included; null takes no samples. "
        "`auto` grows from 1 to 200 with the number of steps done, so that short and long trainings have enough "
        "samples: all of 20 steps, 110 of 1,000.",
    )
    examples: int = Field(64, ge=2, description="Number of examples per sample, evenly spaced in the batch.")
    measures: tuple[MeasureName, ...] = Field(
        get_args(MeasureName),
        min_length=1,
        description="Measures to write for each stage; `warn_share` applies to the first.",
    )
    warn_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Warn once about a stage whose mean falls below this share of its possible rank; 0 never warns.",
    )
    tensorboard: bool = Field(
        False,  # noqa: FBT003 - a default
        description="Whether to write to the run folder's `tensorboard/`, too (extra `track`).",
    )

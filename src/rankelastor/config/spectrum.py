"""Settings of the spectrum sampled while training."""

from typing import Annotated, Literal, get_args

from pydantic import Field, PositiveInt

from rankelastor.config.base import Settings

MeasureName = Literal[
    "stable_rank", "entropy_effective_rank", "participation_ratio", "information_abundance", "numerical_rank"
]
"""The measures of ``rankelastor.spectrum.measures`` by name."""


class SpectrumSettings(Settings):
    """What is sampled of the representations' rank while training; sampling changes no weight.

    ``every_steps``: the first step and each n-th are sampled; null switches sampling off.
    ``examples``: of the batch, evenly spaced.
    ``measures``: written for each stage; the first one is what ``warn_share`` is about.
    ``warn_share``: a stage whose mean falls under this share of its possible rank is warned of, once; 0 never warns.
    ``tensorboard``: also write to the run folder's ``tensorboard/`` (extra ``track``).
    """

    every_steps: PositiveInt | None = 200
    examples: Annotated[int, Field(ge=2)] = 64
    measures: Annotated[tuple[MeasureName, ...], Field(min_length=1)] = get_args(MeasureName)
    warn_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    tensorboard: bool = False

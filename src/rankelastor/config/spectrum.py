"""Settings of the rank samples that are taken during training."""

from typing import Annotated, Literal, get_args

from pydantic import Field, PositiveInt

from rankelastor.config.base import Settings

MeasureName = Literal[
    "stable_rank", "entropy_effective_rank", "participation_ratio", "information_abundance", "numerical_rank"
]
"""The measures of ``rankelastor.spectrum.measures`` by name."""


class SpectrumSettings(Settings):
    """Samples of the rank of representations during training; sampling does not change the weights.

    ``every_steps``: the first and every n-th step is sampled; null switches sampling off. ``auto`` samples often at
    first and then ever more rarely, at least every 200 steps, so that short and long trainings have enough samples: all
    of 20 steps, 110 of 1,000.
    ``examples``: number of examples of the batch, evenly spaced.
    ``measures``: measures to write for each stage; ``warn_share`` applies to the first.
    ``warn_share``: warn once about a stage whose mean falls below this share of its possible rank; 0 never warns.
    ``tensorboard``: whether to write to the run folder's ``tensorboard/``, too (extra ``track``).
    """

    every_steps: Annotated[
        PositiveInt | Literal["auto"] | None,
        Field(
            description="Steps from one sample of the rank to the next, beginning with the first step; null switches "
            "sampling off. auto grows from 1 to 200 with the number of steps done."
        ),
    ] = "auto"
    examples: Annotated[int, Field(ge=2)] = 64
    measures: Annotated[tuple[MeasureName, ...], Field(min_length=1)] = get_args(MeasureName)
    warn_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    tensorboard: bool = False

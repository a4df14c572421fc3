"""Settings of a planted log: fields, interactions, noise, rows."""

from __future__ import annotations

from typing import Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from rankelastor.config.base import Settings


class PlantedSettings(Settings):
    """A synthetic click log whose interactions are planted: which fields meet, of which rank, how strongly.

    The logit of a click is ``bias + main_effects * m + strength * i + noise * e``: m sums one number for each value, i
    sums products of latent vectors over groups of fields, and both have deviation 1 over the rows; e is normal, and no
    field tells it.
    """

    num_fields: PositiveInt = Field(12, description="Number of categorical fields, named `f00`, `f01` and so on.")
    vocabulary: PositiveInt | tuple[PositiveInt, ...] = Field(
        200, description="Number of values of each field: one number for all fields, or a list of one for each."
    )
    order: int = Field(
        2, ge=2, le=6, description="Number of fields that meet in an interaction: 2 for pairs, 3 for triples."
    )
    rank: PositiveInt = Field(
        3,
        description="Width of the latent vectors: an interaction is the sum of so many products of one number a field.",
    )
    num_interactions: PositiveInt = Field(
        12, description="Number of groups of fields that meet; each field is in about as many as any other."
    )
    strength: NonNegativeFloat = Field(
        1.5, description="Standard deviation of the interactions in the logit; 0 plants none."
    )
    main_effects: NonNegativeFloat = Field(
        0.5, description="Standard deviation of the effects of single values in the logit."
    )
    noise: NonNegativeFloat = Field(
        0.0, description="Standard deviation of a normal term of the logit that no field tells, which nobody can learn."
    )
    click_rate: float = Field(0.25, gt=0, lt=1, description="Share of the rows with a click.")
    zipf: NonNegativeFloat = Field(
        1.0, description="How unequal values are: the k-th most frequent one has a share of 1 / (k + 2) ** zipf."
    )
    train_rows: PositiveInt = Field(200_000, description="Number of rows of train.")
    valid_rows: PositiveInt = Field(20_000, description="Number of rows of valid; they do not depend on `train_rows`.")
    test_rows: PositiveInt = Field(50_000, description="Number of rows of test; they do not depend on `train_rows`.")
    seed: NonNegativeInt = Field(7, description="Seed of the truth and of the rows.")

    @model_validator(mode="after")
    def _fields_can_meet(self) -> Self:
        if self.order > self.num_fields:
            raise ValueError(
                f"order must be at most num_fields = {self.num_fields}, but {self.order} was given; try more fields"
            )
        if not isinstance(self.vocabulary, int) and len(self.vocabulary) != self.num_fields:
            raise ValueError(
                f"vocabulary must have one number for each of num_fields = {self.num_fields} fields, but "
                f"{len(self.vocabulary)} were given; one number holds for all"
            )
        return self

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each field."""
        return (self.vocabulary,) * self.num_fields if isinstance(self.vocabulary, int) else self.vocabulary

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of the fields.

        Example:
            >>> PlantedSettings(num_fields=3).field_names
            ('f00', 'f01', 'f02')
        """
        return tuple(f"f{index:02}" for index in range(self.num_fields))

"""Settings of a study: base recipes, axes, seeds, metrics, budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from rankelastor.config.base import Settings
from rankelastor.data.planted.settings import PlantedSettings

RECIPE_AXIS, SEED_AXIS = "recipe", "seed"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
Name = Annotated[str, Field(pattern=_NAME)]
Changes = dict[str, Any]


class AxisSettings(Settings):
    """One axis: the values of a setting, or points at which several settings move together under one name."""

    setting: str | None = Field(
        None,
        min_length=1,
        description="Path of the setting, such as `training.learning_rate` or `log.order`; several with commas "
        "between get one value. It goes with `values`.",
    )
    values: Annotated[tuple[Any, ...], Field(min_length=1)] | None = Field(
        None, description="The values of `setting`, in the order of tables."
    )
    points: Annotated[dict[str, Changes], Field(min_length=1)] | None = Field(
        None,
        description="In place of `setting`: for each point its name, and the value of each path, as in "
        "`wide: {model.token_dim: 48}`. A key without a dot is the name of a recipe, whose changes are its own.",
    )

    @model_validator(mode="after")
    def _values_or_points(self) -> Self:
        if (self.setting is None) != (self.values is None) or (self.setting is None) == (self.points is None):
            raise ValueError(
                "an axis must have either setting and values, or points; try {setting: training.learning_rate, "
                "values: [1e-3, 2e-3]}"
            )
        labels = list(self.labels)
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"the values of an axis must differ, but {', '.join(twice)} stands there twice")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its points.

        Example:
            >>> AxisSettings(setting="log.order", values=(2, 3)).labels
            ('2', '3')
        """
        return tuple(map(str, self.values)) if self.values is not None else tuple(self.points or ())


class BudgetSettings(Settings):
    """What a study may cost at most."""

    runs: PositiveInt = Field(500, description="Most runs of the grid; a study with more is refused before it begins.")
    minutes: PositiveFloat | None = Field(
        None,
        description="No further run begins once all runs together took so many minutes of wall time; null: no limit.",
    )


class MatchSettings(Settings):
    """Recipes whose width is chosen so that they have about as many dense parameters as another one."""

    parameters_of: Name = Field(description="The recipe whose number of dense parameters counts, at the same point.")
    adjust: Annotated[dict[Name, str], Field(min_length=1)] = Field(
        description="For each recipe that is adjusted the path of the whole number that is chosen, such as "
        "`model.ffn.hidden_dims.0`; several with commas between get one value."
    )
    within: PositiveFloat = Field(
        0.03, description="Largest difference, as a share of the number; a run that cannot come so near fails."
    )


class TuningSettings(Settings):
    """A tuning of each recipe before the grid, with the same number of trials, on the valid split alone."""

    trials: PositiveInt = Field(5, description="Trainings of each recipe, that of the recipe as it stands included.")
    seed: NonNegativeInt = Field(1, description="Seed of the draws.")
    spaces: dict[Name, str | Changes] = Field(
        {},
        description="For each recipe the space of its draws: a file relative to the study, or its contents, see "
        "`rankelastor tune`; the space of its model is taken where none is given.",
    )


class CompareSettings(Settings):
    """Which differences a study is about: each value of an axis against one of them, all else equal."""

    axis: str = Field(RECIPE_AXIS, description="The axis whose values are compared; `recipe` compares the recipes.")
    against: str | None = Field(
        None, description="The value that all others are compared with; null takes the first one."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Confidence of the intervals.")


class ScalingSettings(Settings):
    """A fit of L(N) = L_inf + a N^-b over the runs of a study, one curve for each recipe."""

    name: Name | None = Field(None, description="What the fit is called in tables, such as `width`; null: its number.")
    size: Literal["dense_parameters", "flops_per_example", "train_rows"] = Field(
        "dense_parameters", description="What N is."
    )
    loss: Literal["logloss", "1-auc"] = Field("logloss", description="What L is, on the test split.")
    floor: Literal["free", "best_possible"] | float = Field(
        "free",
        description="L_inf: `free` is fitted, `best_possible` is the log's known best, a number is taken as it is.",
    )
    where: dict[str, str | tuple[str, ...]] = Field(
        {}, description="Takes only runs with this value of an axis, or with one of several."
    )
    along: str | None = Field(
        None, description="The axis along which N grows; a curve for each combination of the others. Null: any."
    )
    reach: float = Field(
        3.0, ge=1, description="A curve is extrapolated at most so many times beyond the largest and below the least N."
    )

    def takes(self, point: Mapping[str, str]) -> bool:
        """Tell whether the fit takes the runs of a point.

        Example:
            >>> ScalingSettings(where={"size": ("narrow", "wide")}).takes({"recipe": "mlp", "size": "wide"})
            True
        """
        chosen = ((axis, [labels] if isinstance(labels, str) else labels) for axis, labels in self.where.items())
        return all(point[axis] in labels for axis, labels in chosen)


class StudySettings(Settings):
    """A study: a grid of runs, and what is asked of them."""

    name: Name = Field(description="Name of the study; the default folder is `study/NAME`.")
    question: str = Field("", description="What the study asks, in a sentence; reports begin with it.")
    paper: str | tuple[str, ...] | None = Field(
        None,
        description="What of a paper the study would reproduce, a table or several, as the ledger names them.",
    )
    recipes: Annotated[dict[Name, str | Changes], Field(min_length=1)] = Field(
        description="The base recipes by name: a file relative to the study, settings, or `{like: NAME, "
        "changes: {PATH: VALUE}}` for another recipe with changes. With `log` they need no data."
    )
    log: PlantedSettings | None = Field(
        None, description="A planted log that all recipes are trained on; axes may move its settings as `log.order`."
    )
    changes: Changes = Field({}, description="Settings of all recipes, each path with its value, below those of axes.")
    axes: dict[Name, AxisSettings] = Field({}, description="The axes by name; the grid is all their combinations.")
    seeds: tuple[NonNegativeInt, ...] = Field(
        (1, 2, 3), min_length=1, description="Seeds of the trainings: a list, or a number of them, counted from 1."
    )
    metrics: tuple[str, ...] = Field(
        ("auc", "logloss"), min_length=1, description="Metrics of the test split that tables show."
    )
    budget: BudgetSettings = Field(BudgetSettings(), description="What the study may cost.")
    match: MatchSettings | None = Field(None, description="Recipes that get as many dense parameters as another one.")
    tuning: TuningSettings | None = Field(None, description="A tuning of each recipe before the grid.")
    compare: CompareSettings = Field(CompareSettings(), description="Which differences tables show.")
    scaling: tuple[ScalingSettings, ...] = Field((), description="Fits of the loss by size.")
    rank_examples: NonNegativeInt = Field(
        2048, description="Test examples over which the rank after each stage is measured; 0 measures none."
    )
    keep_runs: bool = Field(
        True,  # noqa: FBT003 - a default
        description="Whether run folders stay, so that runs can be compared row by row and used.",
    )

    @field_validator("seeds", mode="before", json_schema_input_type=int | tuple[int, ...])
    @classmethod
    def _count_of_seeds(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return tuple(range(1, value + 1))
        return value

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if reserved := {RECIPE_AXIS, SEED_AXIS} & self.axes.keys():
            raise ValueError(f"an axis must not be called {reserved.pop()}, which every study has; choose another name")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must differ, but {list(self.seeds)} were given")
        named = {
            **({} if self.match is None else dict.fromkeys([self.match.parameters_of, *self.match.adjust], "match")),
            **({} if self.tuning is None else dict.fromkeys(self.tuning.spaces, "tuning.spaces")),
        }
        for name, place in named.items():
            if name not in self.recipes:
                raise ValueError(f"{place} must name recipes of {', '.join(self.recipes)}, but {name!r} was given")
        self._check_axes_named()
        return self

    def _check_axes_named(self) -> None:
        labels = self.labels
        if self.compare.axis not in labels:
            raise ValueError(f"compare.axis must be one of {', '.join(labels)}, but {self.compare.axis!r} was given")
        if self.compare.against not in {None, *labels[self.compare.axis]}:
            known = ", ".join(labels[self.compare.axis])
            raise ValueError(f"compare.against must be one of {known}, but {self.compare.against!r} was given")
        for fit in self.scaling:
            for axis in [*fit.where, *([] if fit.along is None else [fit.along])]:
                if axis not in labels:
                    raise ValueError(f"scaling must name axes of {', '.join(labels)}, but {axis!r} was given")
            for axis, chosen in fit.where.items():
                if strange := set([chosen] if isinstance(chosen, str) else chosen).difference(labels[axis]):
                    known, wrong = ", ".join(labels[axis]), ", ".join(sorted(strange))
                    raise ValueError(f"scaling.where.{axis} must name points of {known}, but {wrong!r} was given")

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The values of each axis, the recipes first."""
        return {RECIPE_AXIS: tuple(self.recipes), **{name: axis.labels for name, axis in self.axes.items()}}

"""Choose the width of a ranker so that it has about as many dense parameters as another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rankelastor.errors import SettingsError
from rankelastor.models.cost import cost_of
from rankelastor.percent import percent
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import FeatureSchema
from rankelastor.tuning.space import paths_of

_LARGEST = 1 << 16


@dataclass(frozen=True)
class Match:
    """What a run is matched with.

    Attributes:
        reference: the recipe whose number of dense parameters counts.
        setting: path of the whole number that is chosen, or several with commas between.
        within: largest difference as a share of the number.
    """

    reference: Recipe
    setting: str
    within: float


def matched(recipe: Recipe, match: Match, schema: FeatureSchema) -> tuple[Recipe, dict[str, int]]:
    """Choose the number with which a recipe comes nearest to the dense parameters of another, and return both.

    The number of parameters must grow with the setting, as it does with the width of a layer.

    Raises:
        SettingsError: none comes near enough, or the setting does not fit.
    """
    target = cost_of(match.reference.model, schema).dense_parameters
    paths = paths_of(match.setting)

    def parameters(number: int) -> int:
        return cost_of(with_overrides(recipe, dict.fromkeys(paths, number)).model, schema).dense_parameters

    number = nearest(parameters, target)
    found = parameters(number)
    if abs(found - target) > match.within * target:
        raise SettingsError(
            f"match.adjust must reach the {target:,} dense parameters of {match.reference.name} within "
            f"{percent(match.within)}, but {match.setting}={number} gives {found:,}, which is nearest; "
            "adjust another setting, or raise match.within"
        )
    chosen = dict.fromkeys(paths, number)
    return with_overrides(recipe, chosen), chosen


def nearest(function: Callable[[int], int], target: int) -> int:
    """Find the whole number from 1 on whose value of a growing function is nearest to a target.

    Example:
        >>> nearest(lambda number: 10 * number + 3, 61), nearest(lambda number: 10 * number, 3)
        (6, 1)
    """
    low, high = 0, 1
    while high < _LARGEST and function(high) < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if function(middle) < target else (low, middle)
    if low == 0:
        return high
    return min((low, high), key=lambda number: abs(function(number) - target))

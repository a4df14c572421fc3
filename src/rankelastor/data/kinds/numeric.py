"""The kind ``numeric``: a column of numbers; the feature is the transformed number times a learned vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from rankelastor.data.cells.numbers import Infinite, NumberRules, parse_numbers
from rankelastor.data.cells.typed_times import TimeUnit
from rankelastor.data.features.transform import NumberStatistics, NumericTransform, StatisticsFit, transform_numbers
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.kinds.field import INFINITE_MEANING, UNIT_MEANING, ColumnSettings, FeatureFit, Reads
from rankelastor.data.kinds.spec import FeatureSpec, NumberMeaning
from rankelastor.data.kinds.vocabulary_fit import VocabularyFit
from rankelastor.schema import NumericFeature


class NumericField(ColumnSettings):
    """A column of numbers x; the feature is the transformed x times one learned vector."""

    kind: Literal["numeric"]
    transform: NumericTransform = Field(
        "as_is",
        description="`as_is` keeps x; `log` is sign(x) * ln(1 + abs(x)); `standardise` subtracts the mean and divides "
        "by the standard deviation; `min_max` maps to 0..1. Mean, deviation and range are those of the train split.",
    )
    blank: FiniteFloat | None = Field(
        0.0, description="The number that replaces a blank cell before the transform; null refuses blanks."
    )
    unit: TimeUnit | None = Field(None, description=UNIT_MEANING)
    infinite: Infinite = Field("refuse", description=INFINITE_MEANING)

    serving_value: FiniteFloat | None = Field(
        None,
        description="The number that takes the place of the column when scoring, before the transform: training uses "
        "the column, evaluation and prediction do not, and rows to be scored may lack it. Null: the column is used.",
    )

    def plan(self, column: str) -> Iterator[PlannedNumeric]:
        """Plan one feature."""
        yield PlannedNumeric(self.name or column, column, self)


@dataclass(frozen=True)
class PlannedNumeric:
    """A numeric feature to be fitted."""

    name: str
    column: str
    settings: NumericField
    kind: ClassVar[str] = "numeric"
    reads: ClassVar[Reads] = "numbers"
    width: ClassVar[int] = 1
    vocabulary: ClassVar[None] = None

    def parse(self, source: CellSource) -> Cells:
        """Parse the numbers."""
        settings = self.settings
        return _parse(source, self.column, settings.blank, settings.unit, settings.infinite)

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Make the fit, which collects statistics."""
        assert vocabulary is None, "numbers need no vocabulary"
        return _NumericFit(self)


class _NumericFit:
    """Fit in one pass for mean and range, and a second one for the deviation if the transform needs it."""

    def __init__(self, planned: PlannedNumeric) -> None:
        self._planned = planned
        self._statistics = StatisticsFit()
        self._passes_left = 2 if planned.settings.transform == "standardise" else 1
        self._knows_mean = False

    @property
    def done(self) -> bool:
        return not self._passes_left

    def add(self, cells: Cells) -> None:
        if self._knows_mean:
            self._statistics.add_deviations(_finite(cells.values))
        else:
            self._statistics.add(_finite(cells.values))

    def end_pass(self) -> None:
        if not self._knows_mean:
            self._statistics.end_first_pass()
            self._knows_mean = True
        self._passes_left -= 1

    def finish(self, _output: FeatureOutput) -> NumericSpec:
        planned = self._planned
        return NumericSpec(
            name=planned.name,
            column=planned.column,
            transform=planned.settings.transform,
            blank=planned.settings.blank,
            unit=planned.settings.unit,
            infinite=planned.settings.infinite,
            statistics=self._statistics.statistics,
            serving_value=planned.settings.serving_value,
        )


class NumericSpec(FeatureSpec):
    """A fitted numeric feature. ``blank`` is the number that replaces a blank; None refuses blanks."""

    kind: Literal["numeric"] = "numeric"
    reads: ClassVar[Literal["value", "number", "list"]] = "number"
    transform: NumericTransform
    blank: float | None
    unit: TimeUnit | None = None
    infinite: Infinite = "refuse"
    statistics: NumberStatistics
    serving_value: float | None = None

    def derived(self) -> dict[str, Any]:
        """Name the statistics one by one."""
        return self.statistics.model_dump(mode="json")

    @property
    def is_served(self) -> bool:
        """Whether one number takes the place of the column when scoring."""
        return self.serving_value is not None

    @property
    def feature(self) -> NumericFeature:
        """The feature as models see it: one number per example."""
        if self.serving_value is None:
            return NumericFeature(self.name)
        number = transform_numbers(np.array([self.serving_value]), self.transform, self.statistics)
        return NumericFeature(self.name, serving_number=float(number[0]))

    def parse(self, source: CellSource) -> Cells:
        """Parse the numbers."""
        return _parse(source, self.column, self.blank, self.unit, self.infinite)

    def encode(self, cells: Cells) -> NDArray[Any]:
        """Transform the numbers: float32 (row,)."""
        numbers = cells.values
        if self.infinite == "clip":
            ends = self.statistics.minimum, self.statistics.maximum
            numbers = np.where(np.isinf(numbers), np.where(numbers > 0, ends[1], ends[0]), numbers)
        return transform_numbers(numbers, self.transform, self.statistics)

    def describe(self) -> str:
        """Name the kind."""
        return "numeric"

    def meaning(self, vocabulary: Vocabulary | None) -> NumberMeaning:
        """Say what the numbers stand for, and what number a blank becomes after the transform."""
        assert vocabulary is None, "numbers need no vocabulary"
        if self.blank is None:
            return NumberMeaning(self.transform, None)
        return NumberMeaning(self.transform, float(self.encode(Cells(np.array([self.blank])))[0]))


def _parse(source: CellSource, column: str, blank: float | None, unit: TimeUnit | None, infinite: Infinite) -> Cells:
    rules = NumberRules(source.marks, unit, infinite)
    return Cells(parse_numbers(source.rows, column, blanks=source.blanks, blank=blank, rules=rules))


def _finite(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out infinite numbers, which the settings clip."""
    is_finite = np.isfinite(numbers)
    return numbers if is_finite.all() else numbers[is_finite]

"""What kinds with edges among numbers share: how cells are parsed, and the fit that selects exact quantiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64

from rankelastor.data.cells.numbers import Infinite, NumberRules, parse_numbers_or_blanks
from rankelastor.data.cells.typed_times import TimeUnit
from rankelastor.data.features.quantiles import ColumnQuantiles
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.kinds.spec import FeatureSpec


class EdgesFit:
    """Fit in one pass that counts the numbers, then the passes of the exact selection of the edges.

    Args:
        places: for the number of numbers that are not blank, the places of the edges in the sorted column.
        spec: makes the fitted feature of the numbers at these places.
    """

    def __init__(
        self, places: Callable[[int], Sequence[int]], spec: Callable[[Float64[np.ndarray, " place"]], FeatureSpec]
    ) -> None:
        self._quantiles = ColumnQuantiles(places)
        self._spec = spec

    @property
    def done(self) -> bool:
        """Whether all edges are selected."""
        return self._quantiles.done

    def add(self, cells: Cells) -> None:
        """Take the numbers of further rows."""
        self._quantiles.add(cells.values)

    def end_pass(self) -> None:
        """End a pass over the train split."""
        self._quantiles.end_pass()

    def finish(self, output: FeatureOutput) -> FeatureSpec:  # noqa: ARG002 - no file to write
        """Make the fitted feature."""
        return self._spec(self._quantiles.values)


def parse_numbers(source: CellSource, column: str, unit: TimeUnit | None, infinite: Infinite) -> Cells:
    """Parse the numbers of a column, NaN for blank cells."""
    rules = NumberRules(source.marks, unit, infinite)
    return Cells(parse_numbers_or_blanks(source.rows, column, blanks=source.blanks, rules=rules))

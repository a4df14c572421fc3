"""Rows with integer weights and the same rows repeated, the naive reference of every weighted metric."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy import ndarray


class Rows(NamedTuple):
    label: ndarray
    probability: ndarray
    group: ndarray
    weight: ndarray

    def repeated(self) -> Rows:
        """Repeat each row by its weight."""
        times = self.weight.astype(int)
        label, probability, group = (np.repeat(column, times) for column in self[:3])
        return Rows(label, probability, group, np.ones(len(label)))


_row = st.tuples(
    st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.7, 1.0]), st.integers(0, 3), st.integers(0, 4)
)


@st.composite
def weighted_rows(draw: st.DrawFn) -> Rows:
    label, probability, group, weight = zip(*draw(st.lists(_row, min_size=1, max_size=40)), strict=True)
    return Rows(
        np.array(label, dtype=np.float32),
        np.array(probability, dtype=np.float64),
        np.array(group, dtype=np.int64),
        np.array(weight, dtype=np.float32),
    )

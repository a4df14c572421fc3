"""The Pareto front: nothing on it is beaten, and all else is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rankelastor.studies.findings.pareto import pareto_front

POINTS = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1)


@given(points=POINTS)
def test_what_is_not_on_the_front_is_beaten_by_something_on_it(points: dict[str, tuple[int, int]]) -> None:
    costs, values = ({name: float(point[place]) for name, point in points.items()} for place in (0, 1))
    front = pareto_front(costs, values)
    assert front
    for name in points:
        better = [each for each in front if costs[each] <= costs[name] and values[each] >= values[name]]
        assert better
    assert list(front) == sorted(front, key=costs.__getitem__)

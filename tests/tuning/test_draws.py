from typing import Any

import pytest

from rankelastor.errors import SettingsError
from rankelastor.tuning.draws import Draw


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (0.1, r"x must say how it is drawn, with one of log, between, integer, one_of, but 0.1 was given; try \{log"),
        ({"normal": [0, 1]}, "x must say how it is drawn"),
        ({"log": [1, 2], "between": [1, 2]}, "x must say how it is drawn"),
        ({"log": [0.1]}, r"x must have two values or more to choose from, but \[0.1\] was given"),
        ({"one_of": 3}, "x must have two values or more to choose from, but 3 was given"),
        ({"one_of": [8, 8]}, r"x must name each value once, but \[8, 8\] was given"),
        ({"between": [0, 1, 2]}, r"x.between must have two ends, but \[0, 1, 2\] was given"),
        ({"between": [0, "high"]}, "x.between must have numbers as ends, but 'high' was given"),
        ({"integer": [1, 2.5]}, "x.integer must have whole numbers as ends, but 2.5 was given"),
        ({"log": [1e-2, 1e-4]}, r"x.log must begin below its end, but \[0.01, 0.0001\] was given"),
        ({"log": [0, 1]}, "x.log must begin above 0, but 0 was given; try between"),
        ({"between": [0, float("inf")]}, "x.between must have numbers as ends, but inf was given"),
    ],
)
def test_a_draw_that_is_none_is_explained(given: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Draw.parse("x", given)


def test_numbers_are_rounded_to_what_a_person_reads_and_stay_within_their_ends() -> None:
    draw = Draw.parse("x", {"between": [0.12341, 0.5]})
    assert draw.value_of(0.12342) == 0.12341
    assert draw.value_of(0.2345678) == 0.2346


@pytest.mark.parametrize(
    ("draw", "value", "drawn"),
    [
        ({"one_of": [[64], [64, 32]]}, [64, 32], "[64, 32]"),
        ({"one_of": [8, 16]}, 10, None),
        ({"one_of": [True, False]}, True, "true"),
        ({"integer": [1, 3]}, 2, 2),
        ({"integer": [1, 3]}, 4, None),
        ({"log": [1e-4, 1e-2]}, 0.0, None),
        ({"between": [0, 1]}, None, None),
        ({"between": [0, 1]}, True, None),
    ],
)
def test_a_setting_is_found_again_if_it_lies_inside(draw: dict[str, Any], value: Any, drawn: Any) -> None:
    assert Draw.parse("x", draw).drawn_as(value) == drawn

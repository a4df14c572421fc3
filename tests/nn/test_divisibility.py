import pytest

from rankelastor.nn.divisibility import check_divides


def test_a_size_that_divides_is_cut() -> None:
    assert check_divides(12, "width", 4, "parts", purpose="a test") == 3


@pytest.mark.parametrize("parts", [5, 13])
def test_a_size_that_does_not_divide_is_named_with_those_that_do(parts: int) -> None:
    with pytest.raises(ValueError, match=f"must divide width = 12 for a test, but {parts} was given; try one of 1, 2,"):
        check_divides(12, "width", parts, "parts", purpose="a test")

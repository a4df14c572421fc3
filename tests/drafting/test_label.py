import pyarrow as pa
import pytest

from rankelastor.data.cells.labels import LabelSettings
from rankelastor.drafting.label import choose_label, label_candidates, label_of_rows
from rankelastor.drafting.profile import ColumnProfile, profile_table
from rankelastor.errors import DataError


def profiles(**columns: list[object]) -> tuple[ColumnProfile, ...]:
    return profile_table(pa.table(columns))


def chosen(**columns: list[object]) -> LabelSettings:
    return choose_label(profiles(**columns), label=None, positive=None).value


def test_zero_and_one_need_no_positive_value() -> None:
    for values in (["0", "1"], [0, 1], [0.0, 1.0], [True, False], ["True", "False"]):
        assert chosen(label=[*values, values[0]]) == LabelSettings(column="label")


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (["yes", "no", "yes"], "yes"),
        (["N", "Y", "N"], "Y"),
        ([-1, 1, 1], "1"),
        (["skipped", "no", "skipped"], "skipped"),
        (["seen", "seen", "ordered"], "ordered"),
        (["T", "F", "F"], "T"),
    ],
)
def test_other_values_say_which_counts_as_one(values: list[object], positive: str) -> None:
    columns = profiles(clicked=values)
    found = choose_label(columns, label=None, positive=None)
    assert found.value == LabelSettings(column="clicked", positive=positive)
    assert repr(positive) in found.reason
    assert label_of_rows(columns[0], found.value).tolist() == [str(value) == positive for value in values]


def test_candidates_whose_names_say_so_come_first() -> None:
    columns = profiles(gender=["f", "m"], age=[3, 4], click=[0, 1])
    assert [each.name for each in label_candidates(columns)] == ["click", "gender", "age"]


def test_a_label_that_is_not_sure_must_be_named() -> None:
    with pytest.raises(DataError, match="the label must be named, since 'click', 'like' could be it; try 'click'"):
        chosen(like=[0, 1], click=[0, 1])
    with pytest.raises(DataError, match="none of 'price' has; name the label"):
        chosen(price=[1, 2, 3])


@pytest.mark.parametrize(
    ("column", "positive", "message"),
    [
        ("rating", None, "must have two values, but column 'rating' holds '5', '3', '4'; give as `positive`"),
        ("rating", "9", "must be one of several in column 'rating', but '9' was given"),
        ("bought", None, "column 'bought' has 1 blanks in 4 rows; fill them in"),
        ("buy", None, "the label must be a column, but 'buy' is none of 'rating', 'bought', 'seen'"),
        ("seen", None, "must hold one value per row"),
    ],
)
def test_a_label_that_cannot_be_one_is_refused(column: str, positive: str | None, message: str) -> None:
    columns = profiles(rating=["5", "4", "5", "3"], bought=[1, 0, None, 1], seen=[[1], [2], [], [1]])
    with pytest.raises(DataError) as refused:
        choose_label(columns, label=column, positive=positive)
    assert message in str(refused.value)


def test_a_positive_value_makes_a_label_of_many_values() -> None:
    found = choose_label(profiles(rating=[5, 4, 3]), label="rating", positive="5").value
    assert found == LabelSettings(column="rating", positive="5")

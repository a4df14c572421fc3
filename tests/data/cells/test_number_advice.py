import pytest

from rankelastor.data.cells.number_advice import advise_on_number


@pytest.mark.parametrize("text", ["2014-10-21", "2014-10-21T23:00:00", "2014-10-21 23:00", " 2014-10-21T23:00:00.5Z"])
def test_an_iso_time_is_for_a_calendar(text: str) -> None:
    assert advise_on_number(text) == "try kind: calendar, format: iso"


@pytest.mark.parametrize("text", ["21.10.2014", "10/21/2014", "21-10-14 23:00"])
def test_another_way_to_write_a_date_is_to_be_changed(text: str) -> None:
    assert advise_on_number(text) == (
        "to use a time, write it as 2014-10-21T23:00:00 and try kind: calendar, format: iso"
    )


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("1,5", "write decimals with a point"),
        ("1,234,567.5", "write numbers without marks between thousands"),
        ("1.234,50", "write numbers without marks between thousands"),
        ("3|17|4", 'try kind: sequence, separator: "|"'),
        ("3, 17, 4", 'try kind: sequence, separator: ","'),
        ("3 17 4", 'try kind: sequence, separator: " "'),
        ("12%", "write the number without its unit, or try kind: categorical"),
        ("$12.50", "write the number without its unit, or try kind: categorical"),
        ("blue", "try kind: categorical, or csv.blanks if it means blank"),
        ("NA", "try kind: categorical, or csv.blanks if it means blank"),
    ],
)
def test_the_advice_fits_the_text(text: str, advice: str) -> None:
    assert advise_on_number(text) == advice

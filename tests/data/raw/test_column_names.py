from pathlib import Path

import pytest

from rankelastor.data.raw.column_names import advise_on_delimiter, require_columns
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.rows import read_rows
from rankelastor.errors import DataError


def test_another_delimiter_is_named_where_the_header_shows_it() -> None:
    message = r"its cells seem to be separated by \";\": try csv.delimiter: \";\", or convert the file$"
    with pytest.raises(DataError, match=message):
        require_columns(["click;site;price"], ["click"], Path("log.csv"), advice="check data.label and csv.header")
    with pytest.raises(DataError, match=r'separated by "\\t"'):
        require_columns(["click\tsite"], ["click"], Path("log.csv"))


def test_a_decimal_comma_in_the_header_does_not_hide_the_delimiter() -> None:
    assert '";"' in advise_on_delimiter(["click;price", " EUR;site"], ["click"])


def test_a_misspelt_column_is_no_matter_of_delimiters() -> None:
    with pytest.raises(DataError, match=r"has only 'click', 'site'; did you mean 'click'\?; check data.label$"):
        require_columns(["click", "site"], ["clck"], Path("log.csv"), advice="check data.label")
    assert advise_on_delimiter(["click", "site"]) == ""


def test_a_row_that_another_delimiter_would_cut_right_suggests_it(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("1;a;2.5\n0;b;1.5\n")
    settings = CsvSettings(header=False, columns=("click", "site", "price"))
    with pytest.raises(DataError, match=r'must have 3 cells, one per column, but has 1: .* try csv.delimiter: ";"$'):
        list(read_rows(file, settings))

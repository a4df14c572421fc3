import gzip
from pathlib import Path

import pytest

from rankelastor.drafting.csv_format import recognise_csv
from rankelastor.errors import DataError


def recognised(tmp_path: Path, text: str, name: str = "log.csv") -> dict[str, object]:
    file = tmp_path / name
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return recognise_csv(file).value.model_dump(exclude_unset=True)


@pytest.mark.parametrize("delimiter", ["\t", ";", "|", "^"])
def test_the_delimiter_is_recognised(tmp_path: Path, delimiter: str) -> None:
    lines = ["click,site,note", '1,a,"x, y"', '0,b,"z, w, v"']
    text = "\n".join(
        line.replace(",", delimiter) if '"' not in line else line.replace(",", delimiter, 2) for line in lines
    )
    assert recognised(tmp_path, text) == {"delimiter": delimiter}


def test_what_the_ending_says_is_not_repeated(tmp_path: Path) -> None:
    assert recognised(tmp_path, "a,b\n1,2\n") == {}
    assert recognised(tmp_path, "a\tb\n1\t2\n", "log.tsv.gz") == {}
    assert recognised(tmp_path, "\ufeffa,b\n1,2\n") == {}


def test_quotes_that_come_in_pairs_protect_the_delimiter(tmp_path: Path) -> None:
    assert recognised(tmp_path, 'a;"b;c";d\n1;"2;3";4\n1;"2;3";4\n') == {"delimiter": ";"}


def test_quotes_that_do_not_come_in_pairs_are_plain_text(tmp_path: Path) -> None:
    rows = "".join(f'{index},"5 inch,x\n' for index in range(20))
    assert recognised(tmp_path, f"a,b,c\n{rows}") == {"quote": None}


def test_a_first_line_with_numbers_is_no_header(tmp_path: Path) -> None:
    assert recognised(tmp_path, "1,a\n0,b\n") == {"header": False, "columns": ("column_1", "column_2")}
    assert recognised(tmp_path, "click,price,2024\n0,1.5,a\n1,2.5,b\n") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold rows, but it is empty"),
        ("one\ntwo\n", "must be CSV with two columns or more"),
        ("a\0b,c\n", "holds a NUL byte"),
    ],
)
def test_what_is_no_csv_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        recognised(tmp_path, text)

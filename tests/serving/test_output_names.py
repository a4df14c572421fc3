"""Formats go by the name of the output."""

from pathlib import PurePath

import pytest

from rankelastor.data.raw.contents import Kind
from rankelastor.serving.output_names import OutputFormat, format_of_table, output_name


@pytest.mark.parametrize(
    ("name", "kind", "chosen", "expected", "written"),
    [
        ("dt=1/part-0.csv", "text", None, "dt=1/part-0.csv", "csv"),
        ("part-0.c000.snappy.parquet", "parquet", None, "part-0.c000.snappy.parquet", "parquet"),
        ("part-00000", "parquet", None, "part-00000", "parquet"),
        ("part-00000", "text", None, "part-00000", "csv"),
        ("a.csv.zip", "text", None, "a.csv", "csv"),
        ("a.zip", "text", None, "a", "csv"),
        ("a.log", "text", None, "a.log.csv", "csv"),
        ("a.tsv.gz", "text", None, "a.tsv.gz", "tsv"),
        ("a.ARROW", "arrow_file", None, "a.ARROW", "feather"),
        ("a.tsv.gz", "text", "parquet", "a.parquet", "parquet"),
        ("part-0", "text", "orc", "part-0.orc", "orc"),
        ("day.01", "text", "csv", "day.01.csv", "csv"),
    ],
)
def test_a_file_in_a_folder_keeps_its_name_where_it_can_be_written(
    name: str, kind: Kind, chosen: OutputFormat | None, expected: str, written: str
) -> None:
    found = output_name(PurePath(name), kind, chosen)
    assert str(found) == expected
    assert format_of_table(found, kind) == written

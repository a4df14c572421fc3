"""Addresses are told from paths."""

from pathlib import Path

import pytest

from rankelastor.errors import StorageError
from rankelastor.places import address_of, in_full, refuse_address


@pytest.mark.parametrize(
    ("place", "address"),
    [
        ("s3://bucket/a.parquet", "s3://bucket/a.parquet"),
        (Path("s3://bucket/a.parquet"), "s3://bucket/a.parquet"),
        (Path("file:///data/a.csv"), "file:///data/a.csv"),
        ("custom+v1://host/a", "custom+v1://host/a"),
        ("a.csv", None),
        ("log/dt=12:00/a.csv", None),
        ("12:00/a.csv", None),
        ("C:/data/a.csv", None),
        ("/data//a.csv", None),
        ("name:/a.csv", None),
    ],
)
def test_an_address_has_a_scheme(place: str | Path, address: str | None) -> None:
    assert address_of(place) == address


def test_a_folder_with_a_colon_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s3:").mkdir()
    monkeypatch.chdir(tmp_path)
    assert address_of("s3:/a.csv") is None
    assert in_full("s3:/a.csv") == f"{tmp_path}/s3:/a.csv"


def test_the_path_in_a_file_address_is_the_advice() -> None:
    with pytest.raises(
        StorageError, match=r"the output must be a path, but file:///data/a.csv was .*; try /data/a.csv"
    ):
        refuse_address("file:///data/a.csv", what="the output", error=StorageError)

"""Rows are scored from and to files of all formats, folders, streams and frames."""

import io
import os
import threading
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import orc
from tests.conftest import tiny_values, write_clicks

from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.rows import read_rows
from rankelastor.errors import DataError, SettingsError, StorageError
from rankelastor.recipes.load import recipe_from_values
from rankelastor.serving.predict import predict
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.training.run import train

NEW = pl.DataFrame({"site": ["a", "b", "new"], "device": ["phone", "tablet", "tv"], "price": [1.0, 2.0, None]})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run that no test changes; its sites and days may come from the names of folders."""
    folder = tmp_path_factory.mktemp("shared")
    values = tiny_values(write_clicks(folder), prepared=folder / "prepared")
    return train(recipe_from_values(values), folder=folder / "run").folder


@pytest.fixture(scope="module")
def expected(run: Path) -> list[float]:
    scores: list[float] = predict_proba(run, NEW).tolist()
    return scores


def read_back(file: Path) -> pl.DataFrame:
    pieces = list(read_rows(file, CsvSettings(), allow_empty=True))
    return pl.DataFrame(pa.Table.from_batches([piece.table for piece in pieces]))


def probabilities(file: Path) -> list[float]:
    return read_back(file)["probability"].cast(pl.Float64).to_list()


@pytest.mark.parametrize(
    "ending",
    ["csv", "tsv", "txt", "csv.gz", "tsv.zst", "csv.bz2", "csv.xz", "parquet", "pq", "feather", "arrow", "orc"],
)
def test_every_written_ending_is_read_back(run: Path, tmp_path: Path, expected: list[float], ending: str) -> None:
    assert predict(run, NEW, tmp_path / f"out.{ending}") == 3
    assert probabilities(tmp_path / f"out.{ending}") == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("ending", ["feather", "arrow", "orc", "parquet"])
def test_every_columnar_format_is_scored(run: Path, tmp_path: Path, expected: list[float], ending: str) -> None:
    file = tmp_path / f"new.{ending}"
    if ending == "orc":
        orc.write_table(NEW.to_arrow(compat_level=pl.CompatLevel.oldest()), file)
    elif ending == "parquet":
        NEW.write_parquet(file)
    else:
        NEW.write_ipc(file, compression="lz4" if ending == "feather" else "uncompressed")
    predict(run, file, tmp_path / "out.csv")
    assert probabilities(tmp_path / "out.csv") == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["o.xlsx", "o.json", "o.parquet.gz", "o.csv.zip", "o.avro"])
def test_an_ending_that_is_not_written_is_refused(run: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError, match=rf"the output must end in one of \.csv, .* but .*{name} was given; name"):
        predict(run, NEW, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    assert predict(run, NEW, tmp_path / name, output_format="csv") == 3


def test_an_unknown_format_an_address_and_a_dash_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"the output format must be one of csv, tsv, parquet, feather, orc, but 'x'"
    ):
        predict(run, NEW, tmp_path / "o.csv", output_format="x")
    with pytest.raises(
        StorageError, match=r"the output must be a path, or an address of s3://, gs:// or hdfs://, but ftp://host/o.csv"
    ):
        predict(run, NEW, "ftp://host/o.csv")
    with pytest.raises(
        DataError, match=r"the input must be a path, or an address of s3://, gs:// or hdfs://, but ftp://host/a"
    ):
        predict(run, "ftp://host/a.parquet", tmp_path / "o.csv")
    with pytest.raises(StorageError, match=r"but '-' was given; try sys\.stdout\.buffer"):
        predict(run, NEW, "-")
    with pytest.raises(DataError, match=r"the frame must be a frame of polars, .* but int was given"):
        predict(run, 7, tmp_path / "o.csv")  # type: ignore[arg-type] # what a user may try


@pytest.mark.parametrize("kind", ["csv", "parquet", "feather", "orc"])
def test_streams_are_read_and_written_and_left_open(
    run: Path, tmp_path: Path, expected: list[float], kind: str
) -> None:
    source, target = io.BytesIO(), io.BytesIO()
    NEW.write_csv(source) if kind == "csv" else NEW.write_parquet(source)
    source.seek(0)
    assert predict(run, source, target, output_format=kind) == 3
    (tmp_path / "out").write_bytes(target.getvalue())
    assert probabilities(tmp_path / "out") == pytest.approx(expected, abs=1e-9)
    assert not source.closed


def test_messages_about_a_stream_name_it(run: Path) -> None:
    with pytest.raises(DataError, match=r"^the stream, column 'price', row 1 must hold numbers, but 'dear' was given"):
        predict(run, io.BytesIO(b"site,device,price\na,phone,dear\n"), io.BytesIO())


def test_a_pipe_is_read_like_a_file(run: Path, tmp_path: Path, expected: list[float]) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(NEW.write_csv().encode()))
    writer.start()
    predict(run, tmp_path / "pipe", tmp_path / "out.csv")
    writer.join()
    assert probabilities(tmp_path / "out.csv") == pytest.approx(expected, abs=1e-9)


def write_folder(folder: Path) -> Path:
    """Write a folder as Spark writes it, in which the sites are folders."""
    for index, site in enumerate(NEW["site"]):
        part = folder / f"site={site}"
        part.mkdir(parents=True)
        NEW[index : index + 1].drop("site").write_csv(part / f"part-{index}.csv")
    (folder / "_SUCCESS").touch()
    (folder / "site=a" / "part-9.csv").touch()
    (folder / "site=new" / ".part-2.csv.crc").write_bytes(b"crc")
    return folder


def test_a_folder_becomes_a_folder(
    run: Path, tmp_path: Path, expected: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    folder, out = write_folder(tmp_path / "new"), tmp_path / "out"
    assert predict(run, folder, out) == 3
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert written == ["_SUCCESS", "site=a/part-0.csv", "site=b/part-1.csv", "site=new/part-2.csv"]
    assert [probabilities(out / name)[0] for name in written[1:]] == pytest.approx(expected, abs=1e-6)
    assert read_back(out / written[1]).columns == ["device", "price", "probability"]
    assert f"files without rows are skipped (1 of 4): {folder / 'site=a' / 'part-9.csv'}" in caplog.text
    with pytest.raises(StorageError, match=r"the output must be a new folder, but .*out exists; try overwrite=True"):
        predict(run, folder, out)
    assert predict(run, folder, out, overwrite=True, output_format="parquet") == 3
    assert (out / "site=a" / "part-0.parquet").is_file()
    assert not (out / "site=a" / "part-0.csv").exists()


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_folder_becomes_one_file_where_the_name_ends_as_a_files(
    run: Path, tmp_path: Path, expected: list[float], name: str
) -> None:
    predict(run, write_folder(tmp_path / "new"), tmp_path / name)
    assert probabilities(tmp_path / name) == pytest.approx(expected, abs=1e-6)
    assert read_back(tmp_path / name)["site"].to_list() == ["a", "b", "new"]


def test_one_file_gets_the_columns_that_it_lacks_from_its_folders(
    run: Path, tmp_path: Path, expected: list[float]
) -> None:
    predict(run, write_folder(tmp_path / "x=1") / "site=b" / "part-1.csv", tmp_path / "out.csv")
    assert read_back(tmp_path / "out.csv").columns == ["device", "price", "site", "probability"]
    assert probabilities(tmp_path / "out.csv") == pytest.approx(expected[1:2], abs=1e-6)


def test_folders_that_would_lose_something_are_refused(run: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "new")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(
        StorageError, match=r"the output must be a new folder, but .*mine holds other files; name another"
    ):
        predict(run, folder, tmp_path / "mine", overwrite=True)
    for out in (folder, folder / "out", tmp_path):
        with pytest.raises(StorageError, match=r"the output must lie apart from the input"):
            predict(run, folder, out, overwrite=True)
    (folder / "site=a" / "part-1.csv").write_text("device,price\nphone,cheap\n")
    with pytest.raises(DataError, match=r"site=a/part-1.csv, column 'price', row 1"):
        predict(run, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_whose_outputs_would_be_one_are_refused(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    for name in ("a.csv", "a.csv.zip"):
        NEW.write_csv(folder / name)
    with pytest.raises(DataError, match=r"files must get different outputs, but two are written as a.csv; rename"):
        predict(run, folder, tmp_path / "out")


def test_rows_of_different_columns_do_not_go_into_one_file(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    NEW.write_csv(folder / "a.csv")
    NEW.with_columns(note=1).write_csv(folder / "b.csv")
    with pytest.raises(DataError, match=r"the rows of one output must have the same columns, .* name a folder"):
        predict(run, folder, tmp_path / "out.csv")
    assert predict(run, folder, tmp_path / "out") == 6


def test_what_a_format_cannot_hold_is_refused_in_words(run: Path, tmp_path: Path) -> None:
    odd = NEW.with_columns(wait=pl.duration(seconds=1))
    with pytest.raises(DataError, match=r"the rows must have types that orc can hold, .* ends in \.parquet"):
        predict(run, odd, tmp_path / "out.orc")
    assert predict(run, odd, tmp_path / "out.parquet") == 3

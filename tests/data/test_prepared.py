import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.older_folders import change_cell, make_older

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset, copy_feature_state
from rankelastor.data.raw.rows import read_rows
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError, StalePreparedError


def test_a_frame_shows_a_split_by_feature(small_prepared: PreparedDataset) -> None:
    frame = small_prepared.frame("train")
    assert frame.schema == {"site": pl.Int32, "age": pl.Float32, "click": pl.Float32}
    # b occurs twice; the blank and a occur once, in byte order
    assert frame.rows() == [(1, 1.0, 1.0), (3, 2.0, 0.0), (1, 3.0, 1.0), (2, 6.0, 0.0)]


def test_values_that_train_lacks_are_out_of_vocabulary_elsewhere(small_prepared: PreparedDataset) -> None:
    assert small_prepared.frame("valid")["site"].to_list() == [3, 4]
    assert small_prepared.schema.categorical[0].num_ids == 5


def test_the_group_may_be_a_feature_too(small: DataSettings, settings_for: Callable[..., DataSettings]) -> None:
    fields = [{"kind": "categorical", "column": "user"}, {"kind": "group", "column": "user"}]
    dataset = prepare(settings_for({"fields": fields}))
    frame = dataset.frame("train")
    assert frame.columns == ["user", "click", "group:user"]
    assert frame["group:user"].to_list() == [0, 1, 0, 2]
    assert dataset.frame("valid")["group:user"].to_list() == [0, 3]  # groups that train lacks have numbers too
    assert dataset.split("train").has_group


def test_a_split_that_is_not_there_lists_those_that_are(small_prepared: PreparedDataset) -> None:
    assert small_prepared.splits == ("train", "valid")
    with pytest.raises(DataError, match=r"must have the split 'test', but has only train, valid"):
        small_prepared.split("test")


def test_a_folder_that_is_missing_or_not_prepared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere must be a prepared folder, but it does not exist; run"):
        PreparedDataset.open(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"must be a prepared folder, but it has no schema.json; run"):
        PreparedDataset.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format_version": 99}', r"must have the format version 4 or lower, but has 99"),
        ("{}", r"must have the format version 4 or lower, but has None"),
        ("[]", r"schema.json must describe a prepared folder, but holds list"),
        ("{", r"schema.json must be readable JSON"),
        ('{"format_version": 1}', r"schema.json: .*is missing, but required"),
    ],
)
def test_a_damaged_description_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "schema.json").write_text(text)
    with pytest.raises(DataError, match=f"(?s){message}"):
        PreparedDataset.open(tmp_path)


def test_a_missing_or_foreign_shard_is_noticed(small_prepared: PreparedDataset) -> None:
    shutil.copy(small_prepared.folder / "valid" / "part-00000.arrow", small_prepared.folder / "train")
    with pytest.raises(DataError, match=r"train/part-00000.arrow must be whole, but "):
        small_prepared.split("train")
    (small_prepared.folder / "valid" / "part-00000.arrow").unlink()
    with pytest.raises(DataError, match=r"valid/part-00000.arrow must be whole, but there is no such file"):
        small_prepared.split("valid")


def test_a_folder_without_checksums_has_the_rows_that_it_says(small_prepared: PreparedDataset) -> None:
    make_older(small_prepared.folder)
    dataset = PreparedDataset.open(small_prepared.folder)
    shutil.copy(dataset.folder / "valid" / "part-00000.arrow", dataset.folder / "train")
    with pytest.raises(DataError, match=r"train must hold 4 rows, but holds 2"):
        dataset.split("train")
    (dataset.folder / "valid" / "part-00000.arrow").unlink()
    with pytest.raises(DataError, match=r"part-00000.arrow must be a shard"):
        dataset.split("valid")


def files_of(folder: Path) -> list[str]:
    """List the files of a prepared folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def use(dataset: PreparedDataset) -> None:
    """Do what training does with a prepared folder: open it and read all of it."""
    dataset = PreparedDataset.open(dataset.folder)
    for name in dataset.splits:
        dataset.split(name)


@pytest.mark.parametrize("name", ["schema.json", "train/part-00000.arrow", "vocabulary/site.parquet"])
def test_a_flipped_bit_in_any_byte_of_any_file_is_noticed(small_prepared: PreparedDataset, name: str) -> None:
    file = small_prepared.folder / name
    whole = file.read_bytes()
    for place in range(0, len(whole), 1 + len(whole) // 60):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        with pytest.raises(DataError, match=r"must be whole|schema\.json must|format version"):
            use(small_prepared)
    file.write_bytes(whole)
    use(small_prepared)


def test_verifying_names_each_damaged_file(small_prepared: PreparedDataset) -> None:
    assert small_prepared.find_damage() == {}
    (small_prepared.folder / "valid" / "part-00000.arrow").unlink()
    shard = small_prepared.folder / "train" / "part-00000.arrow"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    assert small_prepared.find_damage() == {
        "train/part-00000.arrow": "its contents are not what was written (the checksum differs)",
        "valid/part-00000.arrow": "there is no such file",
    }


def test_a_shard_is_read_for_its_checksum_once(
    small_prepared: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_prepared.split("train")
    monkeypatch.setattr("rankelastor.checksums.checksum_of_file", None)
    assert small_prepared.split("train").num_rows == 4


def test_a_folder_of_an_earlier_version_is_used_as_it_is(small: DataSettings) -> None:
    dataset = prepare(small)
    make_older(dataset.folder)
    older = PreparedDataset.open_matching(small)
    assert (older.manifest.format_version, older.manifest.checksums) == (2, None)
    assert older.fingerprint == dataset.fingerprint
    assert older.frame("train").equals(dataset.frame("train"))
    assert prepare(small).manifest.format_version == 2
    assert older.find_damage() == {}


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("label", 7.0, "it has labels other than 0 and 1"),
        ("numeric", float("nan"), "it has numbers that are not finite"),
        ("categorical", 5, "the ids of site must lie in 0 to 4, but 1 to 5 were found"),
        ("categorical", -1, "the ids of site must lie in 0 to 4, but -1 to 3 were found"),
    ],
)
def test_impossible_values_of_an_older_folder_are_refused(
    small_prepared: PreparedDataset, column: str, value: float, message: str
) -> None:
    make_older(small_prepared.folder)
    change_cell(small_prepared.folder / "train" / "part-00000.arrow", column, value)
    with pytest.raises(DataError, match=f"part-00000.arrow must be a shard of a prepared folder, but {message}"):
        PreparedDataset.open(small_prepared.folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.slice(1), "it holds 2 values and not 3"),
        (lambda table: table.take([2, 1, 0]), "its ids are not 1, 2, 3, ... by falling counts"),
        (lambda table: table.set_column(0, "value", pa.array([1, 2, 3])), "its values are int64 and not texts"),
        (lambda table: table.set_column(0, "value", pa.array([None] * 3, pa.string())), "it has empty cells"),
    ],
)
def test_an_impossible_vocabulary_of_an_older_folder_is_refused(
    small_prepared: PreparedDataset, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    make_older(small_prepared.folder)
    file = small_prepared.folder / "vocabulary" / "site.parquet"
    pq.write_table(change(pq.read_table(file)), file)
    with pytest.raises(DataError, match=f"site.parquet must be a readable vocabulary, but {message}"):
        RowEncoder.load(small_prepared.folder)


def test_open_matching_takes_a_folder_made_from_these_settings(small: DataSettings) -> None:
    prepared = prepare(small)
    assert PreparedDataset.open_matching(small).fingerprint == prepared.fingerprint


def test_open_matching_names_the_setting_that_differs(
    small_prepared: PreparedDataset, settings_for: Callable[..., DataSettings]
) -> None:
    fields = [{"kind": "categorical", "column": "site", "min_count": 3}, {"kind": "numeric", "column": "age"}]
    message = r"data.fields.0.min_count was 1 and is now 3. Run `rankelastor prepare RECIPE`"
    with pytest.raises(StalePreparedError, match=message):
        PreparedDataset.open_matching(settings_for({"fields": fields}))


def test_open_matching_notices_a_changed_raw_file(small: DataSettings) -> None:
    prepare(small)
    file = Path(small.files.folder) / "valid.csv"
    file.write_text(file.read_text() + "1,a,1,u1\n")
    with pytest.raises(StalePreparedError, match=r"the raw file valid.csv has other contents"):
        PreparedDataset.open_matching(small)


def test_open_matching_does_not_need_the_raw_files(small: DataSettings) -> None:
    prepare(small)
    shutil.rmtree(small.files.folder)
    assert PreparedDataset.open_matching(small).splits == ("train", "valid")


def test_a_copy_of_the_feature_state_is_all_that_encoding_needs(small: DataSettings, tmp_path: Path) -> None:
    dataset = prepare(small)
    run = tmp_path / "run"
    run.mkdir()
    copy_feature_state(dataset.folder, run)
    expected = dataset.frame("valid")["site"].to_list()
    shutil.rmtree(dataset.folder)
    encoder = RowEncoder.load(run)
    (rows,) = read_rows(Path(small.files.folder) / "valid.csv", encoder.csv, encoder.columns)
    assert encoder.encode(rows).categorical[:, 0].tolist() == expected


def test_a_copy_of_a_damaged_feature_state_is_refused(small_prepared: PreparedDataset, tmp_path: Path) -> None:
    shutil.rmtree(small_prepared.folder / "vocabulary")
    with pytest.raises(
        DataError,
        match=r"site.parquet must be whole, but there is no .*run `rankelastor\.prepare\(recipe\.data, force=True\)`",
    ):
        copy_feature_state(small_prepared.folder, tmp_path)

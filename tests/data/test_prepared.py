import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

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
        ('{"format_version": 99}', r"must have the format version 2 or lower, but has 99"),
        ("{}", r"must have the format version 2 or lower, but has None"),
        ("[]", r"schema.json must describe a prepared folder, but holds list"),
        ("{", r"schema.json must be readable JSON"),
        ('{"format_version": 1}', r"schema.json: .*is missing, but required"),
    ],
)
def test_a_damaged_description_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "schema.json").write_text(text)
    with pytest.raises(DataError, match=f"(?s){message}"):
        PreparedDataset.open(tmp_path)


def test_a_missing_or_short_shard_is_noticed(small_prepared: PreparedDataset) -> None:
    shutil.copy(small_prepared.folder / "valid" / "part-00000.arrow", small_prepared.folder / "train")
    with pytest.raises(DataError, match=r"train must hold 4 rows, but holds 2"):
        small_prepared.split("train")
    (small_prepared.folder / "valid" / "part-00000.arrow").unlink()
    with pytest.raises(DataError, match=r"part-00000.arrow must be a shard"):
        small_prepared.split("valid")


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
        match=r"site.parquet must be a readable vocabulary, .*run `rankelastor\.prepare\(recipe\.data, force=True\)`",
    ):
        copy_feature_state(small_prepared.folder, tmp_path)

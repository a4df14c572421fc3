import errno
import hashlib
import logging
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from rankelastor.data import shards as shards_module
from rankelastor.data.building import build as building
from rankelastor.data.features.transform import NumberStatistics
from rankelastor.data.kinds.numeric import NumericSpec
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.raw.source_files import find_source_files
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError, SettingsError
from rankelastor.progress import SilentProgress

WriteFiles = Callable[[dict[str, str | bytes]], Path]
SettingsFor = Callable[..., DataSettings]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_prepared_folder_holds_what_the_design_says(small_prepared: PreparedDataset) -> None:
    assert sorted(contents(small_prepared.folder)) == [
        "schema.json",
        "train/part-00000.arrow",
        "valid/part-00000.arrow",
        "vocabulary/site.parquet",
    ]
    assert small_prepared.manifest.splits["train"].label_mean == 0.5


def test_a_second_prepare_does_no_work(small: DataSettings, caplog: pytest.LogCaptureFixture) -> None:
    prepare(small)
    before = {file: file.stat().st_ino for file in Path(small.prepared).rglob("*")}
    with caplog.at_level(logging.INFO):
        prepare(small)
    assert "is up to date: nothing to prepare" in caplog.text
    assert {file: file.stat().st_ino for file in Path(small.prepared).rglob("*")} == before


def test_force_prepares_again_with_the_same_result(small: DataSettings) -> None:
    before = contents(prepare(small).folder)
    inode = (Path(small.prepared) / "schema.json").stat().st_ino
    assert contents(prepare(small, force=True).folder) == before
    assert (Path(small.prepared) / "schema.json").stat().st_ino != inode


def test_a_file_that_was_touched_but_not_changed_is_the_same(small: DataSettings) -> None:
    first = prepare(small)
    os.utime(Path(small.files.folder) / "train.csv", ns=(1, 1))
    shard = first.folder / "train" / "part-00000.arrow"
    inode = shard.stat().st_ino
    assert prepare(small).fingerprint == first.fingerprint
    assert shard.stat().st_ino == inode


@pytest.mark.parametrize("look", [prepare, PreparedDataset.open_matching])
def test_a_file_that_was_touched_is_hashed_once_and_not_on_every_look(
    small: DataSettings, monkeypatch: pytest.MonkeyPatch, look: Callable[[DataSettings], PreparedDataset]
) -> None:
    first = prepare(small)
    os.utime(Path(small.files.folder) / "train.csv", ns=(1, 1))
    assert look(small).manifest.sources[0].modified_ns == 1

    def refuse(*_: Any) -> None:
        raise AssertionError("hashed again")

    monkeypatch.setattr(hashlib, "file_digest", refuse)
    assert look(small).fingerprint == first.fingerprint


def test_a_touched_file_is_fine_where_the_prepared_folder_cannot_be_written(
    small: DataSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(small)
    os.utime(Path(small.files.folder) / "train.csv", ns=(1, 1))

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "denied")

    before = contents(first.folder)
    monkeypatch.setattr(Path, "write_text", refuse)
    assert PreparedDataset.open_matching(small).fingerprint == first.fingerprint
    assert contents(first.folder) == before


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (Path.unlink, "train/part-00000.arrow"),
        (truncate, "valid/part-00000.arrow"),
        (shutil.rmtree, "valid"),
        (Path.unlink, "vocabulary/site.parquet"),
        (truncate, "vocabulary/site.parquet"),
        (shutil.rmtree, "vocabulary"),
        (truncate, "schema.json"),
    ],
)
def test_a_damaged_folder_is_refused_by_name_and_prepared_again(
    small: DataSettings, damage: Callable[[Path], None], part: str
) -> None:
    first = prepare(small)
    before = contents(first.folder)
    damage(first.folder / part)
    message = rf"{part}.* must be .*run `rankelastor\.prepare\(recipe\.data, force=True\)`"
    with pytest.raises(DataError, match=message):
        PreparedDataset.open(first.folder)
    with pytest.raises(DataError, match=message):
        PreparedDataset.open_matching(small)
    prepare(small)
    assert contents(first.folder) == before


def test_a_changed_file_is_prepared_again(small: DataSettings) -> None:
    first = prepare(small)
    file = Path(small.files.folder) / "train.csv"
    file.write_text(file.read_text() + "1,z,9,u7\n")
    second = prepare(small)
    assert second.manifest.splits["train"].num_rows == 5
    assert second.fingerprint != first.fingerprint


def test_the_fingerprint_does_not_depend_on_places(
    write_files: WriteFiles, small: DataSettings, settings_for: SettingsFor, tmp_path: Path
) -> None:
    first = prepare(small)
    Path(small.files.folder).rename(tmp_path / "moved")
    files = {"folder": str(tmp_path / "moved"), "train": "train.csv", "valid": "valid.csv"}
    second = prepare(settings_for({"files": files, "prepared": str(tmp_path / "other")}))
    assert second.fingerprint == first.fingerprint


def random_log(num_rows: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [
        f"{rng.randint(0, 1)},s{min(int(rng.paretovariate(1)), 50)},{rng.gauss(0, 1e6)},u{rng.randint(0, 20)}"
        for _ in range(num_rows)
    ]


MANY_KINDS: dict[str, Any] = {
    "fields": [
        {"kind": "categorical", "column": "site", "min_count": 2},
        {"kind": "numeric", "column": "age", "transform": "standardise"},
        {"kind": "group", "column": "user"},
    ]
}


def test_the_result_does_not_depend_on_the_size_of_the_pieces_or_on_threads(
    write_files: WriteFiles, settings_for: SettingsFor, tmp_path: Path
) -> None:
    text = "click,site,age,user\n" + "\n".join(random_log(2000, seed=1)) + "\n"
    write_files({"train.csv": text, "valid.csv": text + "1,s1,1,u1\n"})
    settings = settings_for(MANY_KINDS | {"shard_rows": 700})
    results = []
    for read_bytes, num_threads in ((500, 1), (500, 4), (7919, 3), (1 << 20, 1)):
        folder = tmp_path / f"built-{read_bytes}-{num_threads}"
        folder.mkdir()
        building.build(
            settings,
            find_source_files(settings.files),
            folder,
            SilentProgress(),
            read_bytes=read_bytes,
            num_threads=num_threads,
        )
        results.append(contents(folder))
    assert all(result == results[0] for result in results)


def test_the_result_does_not_depend_on_the_order_of_rows_and_files(
    write_files: WriteFiles, settings_for: SettingsFor
) -> None:
    header, rows = "click,site,age,user\n", random_log(3000, seed=2)
    write_files({"valid.csv": header + "\n".join(rows[:50])})
    frames, vocabularies, statistics = [], [], []
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        write_files({f"train-{part}.csv": header + "\n".join(rows[part::3]) + "\n" for part in range(3)})
        files = {"folder": settings_for().files.folder, "train": "train-*.csv", "valid": "valid.csv"}
        dataset = prepare(settings_for(MANY_KINDS | {"files": files}))
        frames.append(dataset.frame("train").sort(pl.all()))
        vocabularies.append((dataset.folder / "vocabulary" / "site.parquet").read_bytes())
        statistics.append(statistics_of(dataset))
    assert frames[0].equals(frames[1])
    assert frames[1].equals(frames[2])
    assert vocabularies[0] == vocabularies[1] == vocabularies[2]
    assert statistics[0] == statistics[1] == statistics[2]


def test_one_source_is_split_at_random_with_every_row_once(write_files: WriteFiles, settings_for: SettingsFor) -> None:
    folder = write_files({"all.csv": "click,site,age\n" + "".join(f"{row % 2},s,{row}\n" for row in range(100))})
    files = {"folder": str(folder), "all": "all.csv"}
    dataset = prepare(settings_for({"files": files, "split": {"kind": "random", "valid": 0.2, "test": 0.1}}))
    ages = {split: dataset.frame(split)["age"].to_list() for split in dataset.splits}
    assert {split: len(rows) for split, rows in ages.items()} == {"train": 70, "valid": 20, "test": 10}
    assert sorted(age for rows in ages.values() for age in rows) == list(range(100))


def test_one_source_is_split_by_time(write_files: WriteFiles, settings_for: SettingsFor) -> None:
    days = [7, 3, 9, 1, 5, 0, 8, 2, 6, 4]
    text = "click,site,age,when\n" + "".join(f"{day % 2},s,{day},2024-01-1{day}\n" for day in days)
    folder = write_files({"all.csv": text})
    split = {"kind": "time", "column": "when", "valid": 0.4, "test": 0.4}
    dataset = prepare(settings_for({"files": {"folder": str(folder), "all": "all.csv"}, "split": split}))
    assert {name: sorted(dataset.frame(name)["age"].to_list()) for name in dataset.splits} == {
        "train": [0, 1],
        "valid": [2, 3, 4, 5],
        "test": [6, 7, 8, 9],
    }


def statistics_of(dataset: PreparedDataset) -> NumberStatistics:
    (spec,) = dataset.manifest.numeric
    assert isinstance(spec, NumericSpec)
    return spec.statistics


def test_statistics_and_vocabularies_see_the_train_split_alone(small: DataSettings, settings_for: SettingsFor) -> None:
    fields = [
        {"kind": "categorical", "column": "site"},
        {"kind": "numeric", "column": "age", "transform": "min_max", "blank": 6},
    ]
    dataset = prepare(settings_for({"fields": fields}))
    assert statistics_of(dataset).maximum == 6
    assert dataset.frame("valid")["age"].to_list() == pytest.approx([0.8, 1.0])
    assert pl.read_parquet(dataset.folder / "vocabulary" / "site.parquet")["value"].to_list() == ["b", "", "a"]


def test_parquet_and_csv_of_the_same_rows_give_the_same_data(
    write_files: WriteFiles, small: DataSettings, settings_for: SettingsFor, tmp_path: Path
) -> None:
    first = prepare(small)
    folder = Path(small.files.folder)
    train = {"click": [1, 0, 1, 0], "site": ["b", "a", "b", None], "age": [1, 2, 3, 6]}
    valid = {"click": [1, 0], "site": ["a", "c"], "age": [5, None]}
    pq.write_table(pa.table(train), folder / "train.parquet")
    pq.write_table(pa.table(valid), folder / "valid.parquet")
    files = {"folder": str(folder), "train": "train.parquet", "valid": "valid.parquet"}
    second = prepare(settings_for({"files": files, "prepared": str(tmp_path / "other")}))
    for split in first.splits:
        assert first.frame(split).equals(second.frame(split))


MIXED_FIELDS: list[dict[str, Any]] = [
    {"kind": "categorical", "column": ["site", "day", "code"]},
    {"kind": "numeric", "column": ["age", "share"]},
    {"kind": "calendar", "column": "day", "format": "iso", "parts": ["weekday"]},
]


def mixed_rows(num_rows: int) -> dict[str, list[Any]]:
    rng = random.Random(3)
    return {
        "click": [rng.randint(0, 1) for _ in range(num_rows)],
        "site": [rng.choice(["a", "b, c", 'say "hi"', "é", ""]) for _ in range(num_rows)],
        "code": [rng.randint(-5, 2**62) for _ in range(num_rows)],
        "age": [rng.choice([None, 1, 2, 3]) for _ in range(num_rows)],
        "share": [rng.choice([None, rng.random()]) for _ in range(num_rows)],
        "day": [f"2024-02-{rng.randint(1, 29):02}" for _ in range(num_rows)],
    }


def write_csv_as(rows: pl.DataFrame, path: Path, separator: str) -> None:
    with pa.output_stream(path, compression="detect") as sink:
        sink.write(rows.write_csv(separator=separator).encode())


PARQUET_TYPES = [
    {},
    {"site": pa.large_string(), "age": pa.float32(), "share": pa.float64(), "code": pa.int64(), "day": pa.date32()},
    {"site": pa.dictionary(pa.int16(), pa.string()), "age": pa.int8(), "click": pa.bool_()},
    {
        "site": pa.dictionary(pa.int32(), pa.large_string()),
        "code": pa.uint64(),
        "day": pa.dictionary(pa.int8(), pa.string()),
    },
]


@pytest.mark.parametrize("types", PARQUET_TYPES, ids=["plain", "wide", "encoded", "both"])
def test_all_formats_and_types_together_give_what_one_csv_gives(
    write_files: WriteFiles, settings_for: SettingsFor, tmp_path: Path, types: dict[str, pa.DataType]
) -> None:
    folder = write_files({})
    rows = pl.DataFrame(mixed_rows(1200)).with_columns(code=pl.col("code").abs())
    rows.write_csv(folder / "whole.csv")
    rows[:100].write_csv(folder / "valid.csv")
    for part, name in enumerate(("0.csv", "1.csv.gz", "2.tsv.zst", "3.tsv", "4.parquet", "5.parquet")):
        of_part = rows[part * 200 : (part + 1) * 200]
        if name.endswith("parquet"):
            table = pa.table({column: pa.array(values) for column, values in of_part.to_dict(as_series=False).items()})
            for column, kind in types.items():
                cells = table.column(column).cast(kind.value_type if pa.types.is_dictionary(kind) else kind)
                encoded = cells.dictionary_encode() if pa.types.is_dictionary(kind) else cells
                table = table.set_column(table.schema.get_field_index(column), column, encoded)
            pq.write_table(table, folder / name, row_group_size=70)
        else:
            write_csv_as(of_part, folder / name, "\t" if "tsv" in name else ",")
    results = []
    for number, train in enumerate(("whole.csv", ["[0-3].*", "4.parquet", "5.parquet"])):
        files = {"folder": str(folder), "train": train, "valid": "valid.csv"}
        values = {"files": files, "fields": MIXED_FIELDS, "prepared": str(tmp_path / f"out{number}"), "shard_rows": 512}
        results.append(prepare(settings_for(values)))
    assert results[1].manifest.splits["train"].num_shards == 3
    assert results[0].frame("train").equals(results[1].frame("train"))
    assert results[0].manifest.features == results[1].manifest.features
    for file in (results[0].folder / "vocabulary").iterdir():
        assert file.read_bytes() == (results[1].folder / "vocabulary" / file.name).read_bytes()


def test_odd_field_names_get_safe_vocabulary_files(write_files: WriteFiles, settings_for: SettingsFor) -> None:
    text = 'click,"../a b",A,a\n1,x,y,z\n0,x,y,z\n'
    write_files({"train.csv": text, "valid.csv": text})
    dataset = prepare(settings_for({"fields": [{"kind": "categorical", "column": "*"}]}))
    names = sorted(file.name for file in (dataset.folder / "vocabulary").iterdir())
    assert names == ["%2E%2E%2Fa%20b.parquet", "A.parquet", "a~2.parquet"]
    assert dataset.schema.names == ("../a b", "A", "a")


def test_progress_counts_up_to_its_totals(small: DataSettings) -> None:
    class Listener:
        def __init__(self) -> None:
            self.stages: list[list[Any]] = []

        def begin(self, stage: str, *, total: int, unit: str) -> None:
            self.stages.append([stage, total, unit, 0])

        def advance(self, amount: int, **figures: float) -> None:  # noqa: ARG002
            self.stages[-1][3] += amount

        def end(self) -> None:
            self.stages[-1].append("ended")

    listener = Listener()
    prepare(small, progress=listener)
    assert [stage[0] for stage in listener.stages] == ["reading", "fitting", "writing"]
    reading, _, writing = listener.stages
    assert reading[1] == reading[3]
    assert writing[1:] == [6, "rows", 6, "ended"]


def test_a_folder_of_other_things_is_never_replaced(small: DataSettings) -> None:
    Path(small.prepared).mkdir()
    (Path(small.prepared) / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match=r"data.prepared must be a new folder or .*prepared holds other files"):
        prepare(small, force=True)
    assert (Path(small.prepared) / "thesis.tex").exists()


def test_a_pattern_that_matches_other_columns_in_a_later_file_is_refused(
    write_files: WriteFiles, settings_for: SettingsFor
) -> None:
    write_files({"train.csv": "click,C1\n1,a\n0,b\n", "valid.csv": "click,C1,C2\n1,a,x\n0,b,x\n"})
    message = r"valid.csv must have the same feature columns as .*train.csv, but differs in 'C2'"
    with pytest.raises(DataError, match=message):
        prepare(settings_for({"fields": [{"kind": "categorical", "column": "C*"}]}))


def test_a_field_declared_twice_leaves_nothing_behind(small: DataSettings, settings_for: SettingsFor) -> None:
    fields = [{"kind": "categorical", "column": "site"}, {"kind": "categorical", "column": "s*"}]
    with pytest.raises(SettingsError, match=r"'site' comes from data.fields.0 .* and from data.fields.1"):
        prepare(settings_for({"fields": fields}))
    assert [item.name for item in Path(small.prepared).parent.iterdir()] == ["raw"]


def test_wide_rows_make_shards_of_fewer_rows(
    write_files: Callable[..., Path], settings_for: Callable[..., DataSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{number % 2},s{number % 7},{number},u{number}" for number in range(100)]
    write_files(
        {
            "train.csv": "click,site,age,user\n" + "\n".join(rows) + "\n",
            "valid.csv": "click,site,age,user\n1,a,5,u1\n0,c,,u9\n",
        }
    )
    whole = prepare(settings_for())
    monkeypatch.setattr(shards_module, "SHARD_BYTES", 600)
    bounded = prepare(settings_for({"prepared": whole.folder.with_name("bounded").as_posix()}))
    split = bounded.split("train")
    # Two features, a label and a group are 20 bytes.
    assert [shard.num_rows for shard in split.shards] == [30, 30, 30, 10]
    assert split.shard_rows == 30
    loaders = (BatchLoader(each, batch_size=8, shuffle=True) for each in (whole.split("train"), split))
    expected, given = (torch.cat([batch.numeric for batch in loader.epoch()]) for loader in loaders)
    assert torch.equal(given, expected)

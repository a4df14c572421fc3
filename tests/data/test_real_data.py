"""Tests on real logs: their ids map back to the source values. Skipped if the data are missing."""

import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError
from rankelastor.recipes.load import load_recipe, with_overrides

DATA = Path(os.environ.get("RANKELASTOR_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
CRITEO = ["label", *(f"I{number}" for number in range(1, 14)), *(f"C{number}" for number in range(1, 27))]

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"needs the development data: {DATA} does not exist, set RANKELASTOR_DATA"
)


def prepare_from(folder: str, prepared: Path, **values: Any) -> PreparedDataset:
    files = {"folder": str(DATA / folder)} | values.pop("files")
    return prepare(DataSettings.model_validate({"prepared": str(prepared), "files": files} | values))


def texts_of(dataset: PreparedDataset, split: Any, feature: str) -> pl.Series:
    vocabulary = RowEncoder.load(dataset.folder).vocabularies[feature]
    return vocabulary.values_by_id().gather(dataset.frame(split)[feature].to_numpy())


def test_frappe_maps_back_to_its_source(tmp_path: Path) -> None:
    files = {split: f"{split}.csv" for split in ("train", "valid", "test")}
    fields = [{"kind": "categorical", "column": "*"}]
    dataset = prepare_from("frappe", tmp_path / "prepared", files=files, label="label", fields=fields)
    assert [dataset.manifest.splits[split].num_rows for split in dataset.splits] == [202_027, 57_722, 28_860]
    for split in dataset.splits:
        source = pl.read_csv(DATA / "frappe" / f"{split}.csv", infer_schema=False)
        for feature in dataset.schema.names:
            known = texts_of(dataset, split, feature)
            seen = source[feature].is_in(texts_of(dataset, "train", feature).unique().implode())
            assert known.equals(pl.select(pl.when(seen).then(source[feature])).to_series())
        assert dataset.frame(split)["label"].to_list() == source["label"].cast(pl.Float32).to_list()


def test_criteo_reads_blanks_and_negative_numbers_without_a_header(tmp_path: Path) -> None:
    dataset = prepare_from(
        "criteo_10k",
        tmp_path / "prepared",
        files={"all": "train.txt"},
        split={"kind": "file_order", "valid": 0.1, "test": 0.1},
        csv={"delimiter": "\t", "header": False, "columns": CRITEO},
        label="label",
        fields=[{"kind": "numeric", "column": "I*"}, {"kind": "categorical", "column": "C*"}],
    )
    source = pl.read_csv(
        DATA / "criteo_10k" / "train.txt", separator="\t", has_header=False, new_columns=CRITEO, infer_schema=False
    ).head(8000)
    train = dataset.frame("train")
    assert train.height == 8000
    for name in CRITEO[1:14]:
        assert train[name].to_list() == source[name].cast(pl.Float32).fill_null(0.0).to_list()
    for name in CRITEO[14:]:
        assert texts_of(dataset, "train", name).to_list() == source[name].fill_null("").to_list()


def test_avazu_has_hours_and_weekdays(tmp_path: Path) -> None:
    columns = [
        "C1",
        "banner_pos",
        "site_*",
        "app_*",
        "device_*",
        "C14",
        "C15",
        "C16",
        "C17",
        "C18",
        "C19",
        "C20",
        "C21",
    ]
    dataset = prepare_from(
        "avazu_10k",
        tmp_path / "prepared",
        files={"all": "train.csv"},
        split={"kind": "random"},
        label="click",
        fields=[
            {"kind": "calendar", "column": "hour", "format": "yymmddhh"},
            {"kind": "categorical", "column": columns},
            {"kind": "categorical", "column": "id", "name": "row"},
        ],
    )
    assert dataset.schema.num_fields == 3 + 21 + 1
    source = pl.read_csv(DATA / "avazu_10k" / "train.csv", infer_schema=False).with_columns(row="id")
    train = pl.DataFrame({name: texts_of(dataset, "train", name) for name in ("row", "device_ip", "hour_hour")})
    joined = train.join(source, on="row", how="left", suffix="_source")
    assert joined.height == 7999
    assert joined["device_ip"].equals(joined["device_ip_source"].alias("device_ip"))
    assert (joined["hour_hour"].cast(pl.Int8) == joined["hour"].str.slice(6, 2).cast(pl.Int8)).all()


def test_soso_keeps_integers_beyond_64_bits_as_ids_and_refuses_them_as_numbers(tmp_path: Path) -> None:
    common: dict[str, Any] = {
        "files": {"all": "clicks.csv"},
        "split": {"kind": "file_order", "valid": 0.1, "test": 0.1},
        "label": "click",
    }
    ids = [{"kind": "categorical", "column": "*_*"}, {"kind": "numeric", "column": ["depth", "position"]}]
    dataset = prepare_from("soso_clicks", tmp_path / "prepared", **common | {"fields": ids})
    source = pl.read_csv(DATA / "soso_clicks" / "clicks.csv", infer_schema=False)
    for name in ("url_hash", "query_id", "user_id"):
        train = texts_of(dataset, "train", name)
        assert train.to_list() == source[name].head(len(train)).to_list()
    numbers = [{"kind": "numeric", "column": "url_hash"}]
    with pytest.raises(DataError, match=r"column 'url_hash', row 1 must hold integers that fit in 64 bits"):
        prepare_from("soso_clicks", tmp_path / "numbers", **common | {"fields": numbers})


CHECKOUT = Path(__file__).parents[2]


def prepare_by_recipe(name: str, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> PreparedDataset:
    if not (DATA / name).is_dir():
        pytest.skip(f"no data set {name} in {DATA}; RANKELASTOR_DATA names the folder")
    monkeypatch.setenv("RANKELASTOR_DATA", str(DATA.resolve()))
    recipe = load_recipe(CHECKOUT / "recipes" / "private" / name / "rankelastor.yaml")
    return prepare(with_overrides(recipe, {"data.prepared": str(prepared)}).data)


def source_rows(name: str) -> pl.DataFrame:
    """Read all raw rows as texts, train first."""
    if name == "criteo_10k":
        file = DATA / name / "train.txt"
        return pl.read_csv(file, separator="\t", has_header=False, new_columns=CRITEO, infer_schema=False)
    order = {"train": 0, "valid": 1, "test": 2}
    files = sorted((DATA / name).iterdir(), key=lambda file: order.get(file.stem, 0))
    return pl.concat([pl.read_csv(file, infer_schema=False) for file in files])


def expected_values(source: pl.Series, known: pl.Series) -> pl.Series:
    """Compute what ids must map back to: blanks to empty texts, values out of vocabulary to null."""
    texts = source.fill_null("")
    return pl.select(pl.when(texts.is_in(known.drop_nulls().implode())).then(texts)).to_series()


@pytest.mark.parametrize("name", ["frappe", "criteo_10k", "avazu_10k", "soso_clicks"])
def test_by_its_recipe_every_value_maps_back(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = prepare_by_recipe(name, tmp_path / "prepared", monkeypatch)
    encoder = RowEncoder.load(dataset.folder)
    frame = pl.concat([dataset.frame(split) for split in dataset.splits])
    source = source_rows(name)
    for spec in dataset.manifest.categorical:
        if spec.kind != "categorical":
            continue
        known = encoder.vocabularies[spec.name].values_by_id()
        mapped = known.gather(frame[spec.name].to_numpy())
        expected = expected_values(source[spec.column], known)
        if (dataset.manifest.settings["split"] or {}).get("kind") == "random":  # the rows are permuted
            assert mapped.sort().to_list() == expected.sort().to_list()
        else:
            assert mapped.to_list() == expected.to_list()


def test_the_histories_of_ml1m_map_back_to_their_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = prepare_by_recipe("ml1m_history", tmp_path / "prepared", monkeypatch)
    encoder = RowEncoder.load(dataset.folder)
    for split in dataset.splits:
        source = pl.read_parquet(DATA / "ml1m_history" / f"{split}.parquet")
        frame = dataset.frame(split)
        assert frame.height == source.height
        for name in ("user_id", "gender", "age", "occupation", "zip", "item_id", "genre"):
            known = encoder.vocabularies[name].values_by_id()
            mapped = known.gather(frame[name].to_numpy())
            assert mapped.equals(expected_values(source[name].cast(pl.String), known)), name
        for name in ("history_item_id", "history_genre"):
            known = encoder.vocabularies[name].values_by_id()
            assert frame[name].list.len().equals(source[name].list.len()), name
            mapped = known.gather(frame[name].explode().to_numpy())
            assert mapped.equals(expected_values(source[name].explode().cast(pl.String), known)), name
    assert encoder.vocabularies["history_item_id"].values.equals(encoder.vocabularies["item_id"].values)

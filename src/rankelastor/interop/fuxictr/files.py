"""Translate the files and splits of a FuxiCTR experiment to our settings."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any

from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.notes import FuxiCtrSettings

_SPLIT_KINDS = {"sequential": "file_order", "random": "random"}
_WITHOUT_EQUAL = {
    "num_buckets": "default number of quantile and hash buckets; no field uses it",
    "data_block_size": "prepared data are stored in shards of data.shard_rows",
    "streaming": "prepared data are always read in chunks",
    "n_rows": "all rows are read",
}


def data_files(dataset: FuxiCtrSettings, *, seed: int) -> dict[str, Any]:
    """Make ``files``, and ``split`` and ``csv`` if they are needed.

    Raises:
        SettingsError: files are missing, or of a format that cannot be read back.
    """
    paths = {split: _path(dataset, f"{split}_data") for split in ("train", "valid", "test")}
    _check_format(dataset)
    if paths["train"] is None:
        raise SettingsError("train_data must name a file, but the data set's settings have none")
    found = _use_raw_files(dataset, paths)
    values = _split_by_size(dataset, found, seed=seed) or _split_by_file(dataset, found)
    separator = dataset.take("sep", ",")
    if separator != ",":
        values["csv"] = {"delimiter": separator}
    return values


def note_rest_of_files(dataset: FuxiCtrSettings) -> None:
    """Add notes on the settings of how FuxiCTR stores and loads its encoded rows."""
    dataset.take("data_root")
    dataset.take("dataset_id")
    dataset.note_all("no equal", _WITHOUT_EQUAL)


def _path(dataset: FuxiCtrSettings, key: str) -> PurePosixPath | None:
    path = dataset.take(key)
    return None if path is None else PurePosixPath(str(path).replace(os.sep, "/"))


def _check_format(dataset: FuxiCtrSettings) -> None:
    data_format = dataset.take("data_format", "csv")
    if data_format not in {"csv", "parquet"}:
        raise SettingsError(
            f"data_format must be csv or parquet, but {data_format!r} was given: rows that FuxiCTR has encoded "
            "cannot be read back; name the raw files in the data set's settings"
        )


def _use_raw_files(dataset: FuxiCtrSettings, paths: dict[str, PurePosixPath | None]) -> dict[str, PurePosixPath | None]:
    """Replace Parquet files with ids of FuxiCTR's vocabularies by the raw files, which usually are in ``data_root``."""
    if dataset.take("rebuild_dataset", True) or dataset.take("data_format") != "parquet":  # noqa: FBT003 - a default
        return paths
    root = PurePosixPath(str(dataset.take("data_root", ".")))
    dataset.note(
        "differs",
        "rebuild_dataset",
        f"the Parquet files contain ids that FuxiCTR wrote; the recipe reads the raw CSV files in {root} instead: "
        "check data.files",
    )
    return {split: None if path is None else root / f"{path.stem}.csv" for split, path in paths.items()}


def _split_by_size(
    dataset: FuxiCtrSettings, paths: dict[str, PurePosixPath | None], *, seed: int
) -> dict[str, Any] | None:
    valid, test = dataset.take("valid_size", 0), dataset.take("test_size", 0)
    split_type = dataset.take("split_type", "sequential")
    if not valid and not test:
        return None
    if not 0 < valid < 1 or not 0 <= test < 1 or split_type not in _SPLIT_KINDS:
        raise SettingsError(
            f"valid_size and test_size must be shares between 0 and 1 and split_type one of {list(_SPLIT_KINDS)}, but "
            f"{valid!r}, {test!r} and {split_type!r} were given; split the files, or change the shares"
        )
    split: dict[str, Any] = {"kind": _SPLIT_KINDS[split_type], "valid": valid, "test": test}
    if split_type == "random":
        split["seed"] = seed
        dataset.note("differs", "split_type", "the random permutation differs, and so do the rows of the splits")
    for name in ("valid", "test"):
        if paths[name] is not None:
            dataset.note("no equal", f"{name}_data", "not used: rows are split off train_data by valid_size, test_size")
    train = paths["train"]
    assert train is not None, "checked before"
    return {"files": {"folder": str(train.parent), "all": _pattern(PurePosixPath(train.name))}, "split": split}


def _split_by_file(dataset: FuxiCtrSettings, paths: dict[str, PurePosixPath | None]) -> dict[str, Any]:
    named = {split: path for split, path in paths.items() if path is not None}
    if "valid" not in named and "test" in named:
        named["valid"] = named.pop("test")
        dataset.note("differs", "valid_data", "it is missing: test_data is used as the valid split")
    elif "test" in named and named["test"] == named.get("valid"):
        del named["test"]
        dataset.note(
            "differs",
            "test_data",
            "the same file as valid_data, so it also serves for early stopping; it is the valid split here, and "
            "the valid metrics of a run are its test metrics",
        )
    if "valid" not in named:
        raise SettingsError("valid_data must name a file, or valid_size a share, but the data set has neither; add one")
    folder = _common_folder(list(named.values()))
    order = [split for split in ("train", "valid", "test") if split in named]
    files = {split: _pattern(named[split].relative_to(folder)) for split in order}
    return {"files": {"folder": str(folder), **files}}


def _common_folder(paths: list[PurePosixPath]) -> PurePosixPath:
    folders = {path.parent for path in paths}
    return folders.pop() if len(folders) == 1 else PurePosixPath("/" if paths[0].is_absolute() else ".")


def _pattern(path: PurePosixPath) -> str:
    """Make the file pattern of a path: in FuxiCTR a path without suffix is a folder of files."""
    return str(path) if path.suffix else f"{path}/*.csv"

"""Write a planted log as Parquet, block by block, with the best figures that any model can reach on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from rankelastor.data.kinds.categorical import CategoricalField
from rankelastor.data.planted.settings import PlantedSettings
from rankelastor.data.planted.stream import PlantedRows, PlantedStream
from rankelastor.data.raw.file_settings import FileSettings
from rankelastor.data.settings import DataSettings
from rankelastor.data.synthetic import BestPossible, best_possible
from rankelastor.schema import SPLITS, SplitName
from rankelastor.storage import whole_file, whole_folder

LABEL = "click"
TRUTH_FILE = "truth.json"


@dataclass(frozen=True)
class PlantedLog:
    """A planted log on disk: ``train.parquet``, ``valid.parquet``, ``test.parquet`` and ``truth.json``.

    Attributes:
        folder: its folder.
        settings: its settings.
        best: AUC and logloss of the true probabilities by split.
    """

    folder: Path
    settings: PlantedSettings
    best: dict[SplitName, BestPossible]

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Read what ``write_planted_log`` wrote."""
        values = json.loads((Path(folder) / TRUTH_FILE).read_text(encoding="utf-8"))
        best = TypeAdapter(dict[SplitName, BestPossible]).validate_python(values["best_possible"])
        return cls(Path(folder), PlantedSettings.model_validate(values["settings"]), best)


def planted_data(folder: str | Path, prepared: str | Path) -> DataSettings:
    """Make the settings that prepare a planted log, which need not be written yet, into the folder ``prepared``.

    Example:
        >>> planted_data("log", "prepared").fields[0].column
        'f*'
    """
    files = FileSettings(folder=str(folder), train=("train.parquet",), valid=("valid.parquet",), test=("test.parquet",))
    return DataSettings(prepared=str(prepared), files=files, label=LABEL, fields=(CategoricalField(column="f*"),))


def write_planted_log(folder: str | Path, settings: PlantedSettings) -> PlantedLog:
    """Write a planted log; it takes the memory of one block of rows, whatever its length.

    Args:
        folder: created, or replaced once the new log is whole.
        settings: the settings of the log.

    Raises:
        StorageError: the folder cannot be written.
    """
    stream = PlantedStream(settings)
    num_rows = dict(zip(SPLITS, (settings.train_rows, settings.valid_rows, settings.test_rows), strict=True))
    with whole_folder(folder) as building:
        best = {split: _write_split(building, stream, split, rows) for split, rows in num_rows.items()}
        truth = {
            "settings": settings.model_dump(mode="json"),
            "groups": [[settings.field_names[field] for field in group] for group in stream.truth.groups],
            "best_possible": {split: {"auc": each.auc, "logloss": each.logloss} for split, each in best.items()},
        }
        with whole_file(building / TRUTH_FILE) as file:
            file.write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
    return PlantedLog(Path(folder), settings, best)


def _write_split(folder: Path, stream: PlantedStream, split: SplitName, num_rows: int) -> BestPossible:
    labels, probabilities = [], []
    names = stream.settings.field_names
    schema = pa.schema([(LABEL, pa.int8()), *((name, pa.int64()) for name in names)])
    with whole_file(folder / f"{split}.parquet") as path, pq.ParquetWriter(path, schema) as writer:
        for rows in stream.rows(split, num_rows):
            writer.write_table(_table(rows, names, schema))
            labels.append(rows.label)
            probabilities.append(rows.probability)
    return best_possible(np.concatenate(probabilities), np.concatenate(labels))


def _table(rows: PlantedRows, names: tuple[str, ...], schema: pa.Schema) -> pa.Table:
    columns = {LABEL: rows.label, **{name: rows.codes[:, field] for field, name in enumerate(names)}}
    return pa.table(columns, schema=schema)

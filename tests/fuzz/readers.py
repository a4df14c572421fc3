"""Readers of foreign bytes, each with a valid input: only a ``RankElastorError`` may come out of any bytes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn

from rankelastor.calibration.calibration import Calibration, read_calibration
from rankelastor.calibration.calibrators import AffineCalibrator
from rankelastor.calibration.choice import CalibratorChoice
from rankelastor.checksums import checksums_below
from rankelastor.data.features.vector_files import read_vectors
from rankelastor.data.features.vector_settings import PretrainedSettings
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.manifest import MANIFEST_FILE
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.published.catalogue import PublishedDataset, PublishedFile
from rankelastor.data.published.unpack import unpack
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.rows import read_rows
from rankelastor.data.settings import DataSettings
from rankelastor.errors import RankElastorError
from rankelastor.interop.fuxictr.convert import import_experiment
from rankelastor.interop.fuxictr.vocabularies import read_fitted_features
from rankelastor.progress import SilentProgress
from rankelastor.recipes.load import load_recipe, parse_overrides
from rankelastor.runs.bundle_file.archive import write_archive
from rankelastor.runs.bundle_file.index import BundleIndex
from rankelastor.runs.bundle_file.unpacked import unpack_bundle
from rankelastor.runs.checkpoints import read_checkpoint, write_checkpoint
from rankelastor.runs.ensemble_folder import member_folders
from rankelastor.runs.result import read_result
from rankelastor.runs.seal import Seal
from rankelastor.runs.weights import read_weights, save_weights

ROWS = "click,site,age\n1,a,1\n0,b,2\n1,a,3\n0,,6\n"
RECIPE = """\
name: tiny
data:
  prepared: prepared
  files: {folder: raw, train: train.csv, valid: valid.csv}
  label: click
  fields: &fields
    - {kind: categorical, column: site}
    - {kind: numeric, column: age, transform: log}
model: {kind: mlp, embedding_dim: 4, hidden_dims: [8]}
training: {epochs: 1, learning_rate: 1e-3}
"""
FUXICTR = """\
Base: {epochs: 1, batch_size: 10, seed: 1}
one: {model: DeepFM, dataset_id: d, optimizer: adam, learning_rate: 1.e-3, embedding_dim: 4, hidden_units: [8]}
"""
ARCHIVE = PublishedDataset("Tiny", "clicks", (PublishedFile("train.csv", None),), 10_000, "nobody", "none", "none")


@dataclass(frozen=True)
class Reader:
    """A reader and an input that it reads.

    Attributes:
        base: a valid input.
        read: reads a file, in a folder of its own, that holds such bytes.
        name: the name that the file must have.
    """

    base: bytes
    read: Callable[[Path], object]
    name: str

    def __call__(self, data: bytes) -> None:
        """Read bytes; any error but a ``RankElastorError`` comes out."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / self.name
            file.write_bytes(data)
            with suppress(RankElastorError):
                self.read(file)


def _exhaust(items: Iterable[object]) -> None:
    for _ in items:
        pass


def _write(write: Callable[[Path], object], name: str) -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / name
        write(file)
        return file.read_bytes()


def _prepared(folder: Path, name: str) -> tuple[bytes, Callable[[Path], object]]:
    """Make a file of a prepared folder, and what reads the folder with that file replaced by another."""
    folder.mkdir()
    for split in ("train", "valid"):
        (folder / f"{split}.csv").write_text(ROWS)
    settings = DataSettings.model_validate(
        {
            "prepared": str(folder / "prepared"),
            "files": {"folder": str(folder), "train": "train.csv", "valid": "valid.csv"},
            "label": "click",
            "fields": [{"kind": "categorical", "column": "site"}, {"kind": "numeric", "column": "age"}],
        }
    )
    prepare(settings)
    whole = (folder / "prepared" / name).read_bytes()

    def read(file: Path) -> None:
        (folder / "prepared" / name).write_bytes(file.read_bytes())
        dataset = PreparedDataset.open(folder / "prepared")
        for split in dataset.splits:
            dataset.frame(split)

    return whole, read


def _fuxictr(file: Path) -> None:
    (file.parent / "dataset_config.yaml").write_text("d: {feature_cols: [{name: a, type: categorical}]}\n")
    import_experiment(file.parent, "one")


def _zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("train.csv", ROWS * 20)
    return content.getvalue()


def _vectors(suffix: str) -> Callable[[Path], None]:
    settings = PretrainedSettings.model_validate(
        {"file": f"v{suffix}"} | ({"keys": "k.txt"} if suffix == ".npy" else {})
    )

    def read(file: Path) -> None:
        (file.parent / "k.txt").write_text("a\nb\n")
        _exhaust(read_vectors(file.parent, settings))

    return read


def _set(file: Path) -> None:
    parse_overrides([f"training.seed={file.read_bytes().decode(errors='replace')}"])


def _seal(file: Path) -> None:
    seal = Seal.read(file.parent)
    assert seal is not None
    seal.find_damage()


def _bundle() -> bytes:
    """Make the smallest bundle: the recipe alone."""
    content = io.BytesIO()
    with TemporaryDirectory() as folder:
        (Path(folder) / "run").mkdir()
        (Path(folder) / "run" / "config.yaml").write_text(RECIPE)
        files = checksums_below(Path(folder), [Path(folder) / "run" / "config.yaml"])
        write_archive(
            content, BundleIndex("tiny", "mlp", "0.1.0", 0, hashed_vocabularies=False, files=files), Path(folder)
        )
    return content.getvalue()


def _unpack(file: Path) -> None:
    unpack_bundle(file).close()


def _result(file: Path) -> None:
    read_result(file.read_bytes().decode(errors="replace"), source=str(file))


def _ipc(table: pa.Table, *, is_stream: bool) -> bytes:
    content = io.BytesIO()
    with (pa.ipc.new_stream if is_stream else pa.ipc.new_file)(content, table.schema) as writer:
        writer.write_table(table)
    return content.getvalue()


def _checkpoint(folder: Path) -> tuple[bytes, Callable[[Path], object]]:
    """Make the list of files of a checkpoint, and what reads the checkpoint with another list."""
    path = write_checkpoint(folder, step=3, values={"seconds": 1.5}, tensors={"model.weight": torch.ones(2)})

    def read(file: Path) -> None:
        (path / file.name).write_bytes(file.read_bytes())
        read_checkpoint(path)

    return (path / "checksums.json").read_bytes(), read


def _fitted(file: Path) -> None:
    features = [{"site": {"type": "categorical", "vocab_size": 4}}, {"age": {"type": "numeric"}}]
    (file.parent / "feature_map.json").write_text(json.dumps({"features": features}))
    read_fitted_features(file.parent)


def all_readers(folder: Path) -> dict[str, Reader]:
    """Make the readers by name; ``folder`` is a place for what they need."""
    table = pa.table({"click": [1, 0] * 40, "site": ["a", "b"] * 40, "seen": [["a"], ["b", "c"]] * 40})
    vocabulary = Vocabulary.fit(pl.Series(["a", "b", "c"]), np.array([3, 2, 2]), min_count=1, blank="value")
    schema, read_schema = _prepared(folder / "schema", MANIFEST_FILE)
    shard, read_shard = _prepared(folder / "shard", "train/part-00000.arrow")
    arrays = {"key": np.array(["a", "b"]), "value": np.ones((2, 3), np.float32)}
    seal = {"format_version": 1, "config": "", "files": {"a": {"num_bytes": 1, "sha256": "0"}}}

    checkpoint, read_listed = _checkpoint(folder / "checkpoints")
    calibration = Calibration({"click": CalibratorChoice("platt", AffineCalibrator(0.61, -0.2))})
    fitted = {"site": {"a": 1, "b": 2, "__OOV__": 3}}

    def csv(file: Path) -> None:
        _exhaust(read_rows(file, CsvSettings(), None))

    return {
        "recipe": Reader(RECIPE.encode(), load_recipe, "r.yaml"),
        "--set": Reader(b"{a: [1, 2.5e3, !!timestamp 2024-01-01]}", _set, "value"),
        "FuxiCTR": Reader(FUXICTR.encode(), _fuxictr, "model_config.yaml"),
        "schema.json": Reader(schema, read_schema, MANIFEST_FILE),
        "shard": Reader(shard, read_shard, "part-00000.arrow"),
        "vocabulary": Reader(
            _write(vocabulary.write, "v.parquet"), lambda file: Vocabulary.read(file, blank="value"), "v.parquet"
        ),
        "weights": Reader(
            _write(lambda file: save_weights(nn.Linear(3, 2), file), "w.safetensors"), read_weights, "w.safetensors"
        ),
        "result.json": Reader(json.dumps({"recipe": "a", "valid": {"auc": 0.5}}).encode(), _result, "result.json"),
        "checksums.json": Reader(json.dumps(seal).encode(), _seal, "checksums.json"),
        "checkpoint": Reader(checkpoint, read_listed, "checksums.json"),
        "calibration.json": Reader(
            _write(lambda file: calibration.write(file.parent), "calibration.json"),
            lambda file: read_calibration(file.parent, tasks=("click",)),
            "calibration.json",
        ),
        "ensemble.json": Reader(
            b'{"format_version": 1, "members": ["members/a"]}',
            lambda file: member_folders(file.parent),
            "ensemble.json",
        ),
        "FuxiCTR vocabulary": Reader(json.dumps(fitted).encode(), _fitted, "feature_vocab.json"),
        "zip": Reader(_zip(), lambda file: unpack(file, ARCHIVE, file.parent, SilentProgress()), "Tiny.zip"),
        "bundle": Reader(_bundle(), _unpack, "tiny.rank"),
        "CSV": Reader(ROWS.encode(), csv, "rows.csv"),
        "CSV in zstd": Reader(pa.compress(ROWS.encode(), codec="zstd", asbytes=True), csv, "rows.csv.zst"),
        "Parquet": Reader(_write(lambda file: pq.write_table(table, file), "rows.parquet"), csv, "rows.parquet"),
        "Arrow": Reader(_ipc(table, is_stream=False), csv, "rows.arrow"),
        "Arrow stream": Reader(_ipc(table, is_stream=True), csv, "rows.arrows"),
        "npy": Reader(_write(lambda file: np.save(file, arrays["value"]), "v.npy"), _vectors(".npy"), "v.npy"),
        "npz": Reader(
            _write(lambda file: np.savez(file, key=arrays["key"], value=arrays["value"]), "v.npz"),
            _vectors(".npz"),
            "v.npz",
        ),
    }


def mutate(data: bytes, random: np.random.Generator) -> bytes:
    """Flip, replace, remove, repeat or insert a few bytes."""
    content = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 4])):
        place, length = int(random.integers(len(content) + 1)), int(random.integers(1, 9))
        match int(random.integers(5)):
            case 0:
                content[place : place + 1] = bytes(
                    each ^ (1 << int(random.integers(8))) for each in content[place : place + 1]
                )
            case 1:
                content[place : place + length] = bytes(random.choice([0, 1, 0x7F, 0x80, 0xFF], length).tolist())
            case 2:
                del content[place : place + length]
            case 3:
                content[place:place] = content[place : place + 8 * length]
            case _:
                content[place:place] = random.bytes(length)
    return bytes(content)

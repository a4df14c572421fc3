"""Export the embedding vectors of a run by field and value, ready for a nearest-neighbour index."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Float32, Int64
from numpy import ndarray
from torch import Tensor

from rankelastor.data.features.file_names import FileNames
from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning
from rankelastor.data.raw.column_names import quote_names
from rankelastor.errors import OVERWRITE, RunError, SettingsError, StorageError
from rankelastor.places import in_full
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.storage import whole_folder

INDEX_FILE = "embeddings.json"
"""The file that lists the fields of an export: file, number of values, and the vector of values unseen in training."""

_ROWS_AT_A_TIME = 65_536


@dataclass(frozen=True)
class FieldVectors:
    """The vectors of one field, a row per known value, most frequent first.

    Attributes:
        field: name of the field.
        kind: its kind, in words.
        ids: the id of each value, int64 (value,).
        values: the value of each row as text; the range of a bucketed number, ``bucket 5`` of a hashed field.
        counts: number of occurrences in train; None if the field has no vocabulary with counts.
        vectors: the vectors, float32 (value, dim).
        unseen: the vector of values that training has not seen, float32 (dim,); None if there is none.
    """

    field: str
    kind: str
    ids: Int64[ndarray, " value"]
    values: tuple[str, ...]
    counts: Int64[ndarray, " value"] | None
    vectors: Float32[ndarray, "value dim"]
    unseen: Float32[ndarray, " dim"] | None

    def table(self) -> pa.Table:
        """Return the columns ``value``, ``count``, ``id`` and ``vector``, a list of fixed size."""
        flat = pa.array(self.vectors.reshape(-1), pa.float32())
        counts = pa.nulls(len(self.ids), pa.int64()) if self.counts is None else pa.array(self.counts)
        vectors = pa.FixedSizeListArray.from_arrays(flat, self.vectors.shape[1])
        return pa.table(
            {"value": pa.array(self.values, pa.string()), "count": counts, "id": self.ids, "vector": vectors}
        )


def export_embeddings(
    run: LoadedRun | str | Path, folder: str | Path, *, fields: Collection[str] | None = None, overwrite: bool = False
) -> tuple[FieldVectors, ...]:
    """Write the vectors of each field to a Parquet file, and ``embeddings.json`` that lists the files.

    A field that shares the rows of another has the same vectors and no file of its own; the list names the other one.
    Numeric fields have no values to look up and are left out.

    Args:
        run: a loaded run, or its folder.
        folder: the folder to write.
        fields: names of the fields to export; None exports all.
        overwrite: whether to replace a folder that an earlier export wrote.

    Returns:
        The vectors that were written, in declared order.

    Example:
        >>> from rankelastor.serving.embeddings import export_embeddings
        >>> # export_embeddings("runs/frappe-rankelastor", "vectors", fields=["item"])

    Raises:
        RunError: the run folder cannot be used.
        SettingsError: a field does not exist or has no vectors.
        StorageError: the folder exists, or cannot be written.
    """
    target = Path(folder)
    _refuse_folder(target, overwrite=overwrite)
    loaded = run if isinstance(run, LoadedRun) else load_run(run)
    exported = tuple(field_vectors(loaded, fields))
    names = FileNames(suffix=".parquet")
    with whole_folder(target) as temporary:
        listed: dict[str, object] = {}
        for each in exported:
            file = names.make(each.field)
            pq.write_table(each.table(), temporary / file, compression="zstd")
            listed[each.field] = {
                "file": file,
                "kind": each.kind,
                "num_values": len(each.ids),
                "dim": each.vectors.shape[1],
                "unseen": None if each.unseen is None else each.unseen.tolist(),
            }
        shared = {name: owner for name, owner in _owners(loaded).items() if owner != name and owner in listed}
        text = json.dumps({"fields": listed, "shared": shared}, indent=2, ensure_ascii=False)
        (temporary / INDEX_FILE).write_text(text + "\n", encoding="utf-8")
    return exported


def field_vectors(run: LoadedRun, fields: Collection[str] | None = None) -> Iterator[FieldVectors]:
    """Compute the vectors of each field that owns rows, in declared order.

    Args:
        run: a loaded run.
        fields: names of fields; None takes all. A field that shares rows gives those of their owner.

    Raises:
        SettingsError: a field does not exist or has no vectors.
        RunError: the run is an ensemble.
    """
    if run.members:
        raise RunError(
            f"a run must be a single model to have embedding vectors, but {run.folder} is an ensemble; try one of its "
            f"members, {run.members[0].folder}"
        )
    owners = _owners(run)
    for name in fields or ():
        if name not in owners:
            raise SettingsError(f"a field with vectors must be one of {quote_names(owners)}, but {name!r} was given")
    wanted = set(owners.values()) if fields is None else {owners[name] for name in fields}
    specs = {spec.name: spec for spec in run.encoder.manifest.features}
    for index, feature in enumerate(run.encoder.schema.with_ids):
        if feature.name in wanted:
            yield _vectors_of(run, index, specs[feature.name], num_ids=feature.num_ids)


def _owners(run: LoadedRun) -> dict[str, str]:
    """Map each field of ids to the one whose rows it uses."""
    return {feature.name: feature.shares or feature.name for feature in run.encoder.schema.with_ids}


def _vectors_of(run: LoadedRun, index: int, spec: FeatureSpec, *, num_ids: int) -> FieldVectors:
    vocabulary = run.encoder.vocabularies.get(spec.name)
    meaning = spec.meaning(vocabulary)
    assert isinstance(meaning, IdMeaning), "a field of ids has meanings of ids"
    vectors = _look_up(run, index, num_ids)
    if vocabulary is None:
        ids = np.arange(1, num_ids - 1, dtype=np.int64)  # without the last id, which no cell of these kinds has
        values = tuple(map(meaning.text_of, ids.tolist()))
        counts, unseen = None, None
    else:
        ids, counts = vocabulary.known_ids.astype(np.int64), vocabulary.counts
        values = tuple(vocabulary.values.to_list())
        unseen = vectors[vocabulary.out_of_vocabulary_id]
    return FieldVectors(spec.name, spec.describe(), ids, values, counts, vectors[ids], unseen)


@torch.inference_mode()
def _look_up(run: LoadedRun, index: int, num_ids: int) -> Float32[ndarray, "id dim"]:
    """Look up the vector of each id of a field, as the model sees it: pretrained vectors are projected."""
    embedding = run.ranker.embedding
    rows = embedding.row_ranges[index]
    if rows is not None:
        found = embedding.table[rows].float().cpu()
        return torch.cat([torch.zeros(1, found.shape[1]), found]).numpy()
    layer = embedding.pretrained[str(index)]
    device = next(run.ranker.parameters()).device
    parts: list[Tensor] = [
        layer(torch.arange(start, min(start + _ROWS_AT_A_TIME, num_ids), device=device)).float().cpu()
        for start in range(0, num_ids, _ROWS_AT_A_TIME)
    ]
    return torch.cat(parts).numpy()


def _refuse_folder(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / INDEX_FILE).is_file():
        raise StorageError(
            f"the vectors must go to a new folder, but {in_full(folder)} holds other files; name another"
        )
    if not overwrite:
        raise StorageError(
            f"the vectors must go to a new folder, but {in_full(folder)} exists; try {OVERWRITE} to replace it",
            python=OVERWRITE,
        )

"""Export a run or a bundle to another runtime: a folder with the graph, the encoding and a reference encoder.

.. code-block:: text

    model.onnx       the graph (model.pt2 or model.aoti.pt2 in the other formats), with model.onnx.data if it is large
    encoding.json    how columns become ids and numbers
    encode.py        the reference encoder, which needs Python alone
    export.json      the facts for programs: inputs, tasks, versions, what was checked, checksums
    README.md        how to score
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import rankelastor
from rankelastor.checksums import checksums_below
from rankelastor.data.raw.rows import RawRows, read_rows
from rankelastor.errors import OVERWRITE, StorageError
from rankelastor.execution.cores import borrowed_cores
from rankelastor.export.agreement import TOLERANCE, Agreement, check_agreement
from rankelastor.export.encoder_agreement import check_encoder
from rankelastor.export.encoding import ENCODER_FILE, ENCODING_FILE, encoding_of, write_encoder
from rankelastor.export.formats import ExportFormat, FormatName, format_of
from rankelastor.export.graph import graph_of
from rankelastor.export.graph_inputs import inputs_of, made_rows, tensors_of
from rankelastor.export.readme import readme_text
from rankelastor.export.torch_program import trace
from rankelastor.places import in_full
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.schema import Batch
from rankelastor.storage import whole_folder

INDEX_FILE = "export.json"
README_FILE = "README.md"
FORMAT_VERSION = 1
_NUM_STEPS = 3
_logger = logging.getLogger(__name__)
_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True)
class Export:
    """What was exported.

    Attributes:
        folder: the folder.
        file: the name of the graph's file in it.
        num_bytes: size of all files of the folder.
        rows: where the rows of the check came from: ``example`` rows of the bundle, or ``made`` ones.
        agreement: what the check has shown.
    """

    folder: Path
    file: str
    num_bytes: int
    rows: str
    agreement: Agreement


def export_run(
    run: LoadedRun | str | Path,
    folder: str | Path,
    *,
    output_format: FormatName = "onnx",
    overwrite: bool = False,
    progress: ProgressListener | None = None,
) -> Export:
    """Export a run or a bundle; its probabilities are compared with the ranker's before the folder is in its place.

    Args:
        run: the run folder, an ensemble's too, or the bundle; or a loaded run.
        folder: the folder to write.
        output_format: ``onnx``; ``pt2``, a program of ``torch.export``; or ``aoti``, native code, which needs a C++
            compiler here.
        overwrite: whether to replace an earlier export.
        progress: receives the steps that are done: traced, written, checked.

    Example:
        >>> from rankelastor import export_run
        >>> # export_run("model.rank", "exported", output_format="onnx")

    Raises:
        RunError: the run cannot be used, or the exported file disagrees with it.
        SettingsError: the format is unknown, or what it needs is not installed.
        StorageError: the folder exists, or cannot be written; no partial folder is left.
    """
    form = format_of(output_format)
    target = Path(folder)
    _refuse_folder(target, overwrite=overwrite)
    form.require()
    loaded = _on_cpu(run)
    _warn_of_bf16(loaded)
    encoding = encoding_of(loaded.encoder)
    examples = _example_rows(loaded)
    rows = made_rows(loaded.encoder.schema) if examples is None else loaded.encoder.encode(examples)
    if examples is not None:
        check_encoder(encoding, examples, tensors_of(rows, inputs_of(loaded.encoder.schema)))
    with whole_folder(target) as temporary:
        agreement = _write_graph(loaded, rows, form, temporary / form.file, progress or SilentProgress())
        _write_json(temporary / ENCODING_FILE, encoding)
        write_encoder(temporary / ENCODER_FILE)
        origin = "made" if examples is None else "example"
        facts = _facts(loaded, form, {"rows": origin, "tolerance": TOLERANCE, **asdict(agreement)})
        (temporary / README_FILE).write_text(readme_text(facts), encoding="utf-8")
        files = checksums_below(temporary, [path for path in temporary.iterdir() if path.is_file()])
        _write_json(temporary / INDEX_FILE, facts | {"files": {name: asdict(each) for name, each in files.items()}})
    return Export(target, form.file, sum(each.num_bytes for each in files.values()), origin, agreement)


def _write_graph(run: LoadedRun, rows: Batch, form: ExportFormat, path: Path, progress: ProgressListener) -> Agreement:
    """Trace the graph, write it, and compare what was written with the ranker."""
    progress.begin("exporting", total=_NUM_STEPS, unit="steps")
    try:
        with borrowed_cores(run.recipe.training.execution.threads):
            program = trace(graph_of(run), inputs_of(run.encoder.schema))
            progress.advance(1)
            form.write(program, path)
            progress.advance(1)
            agreement = check_agreement(run, rows, form.open(path), form)
            progress.advance(1)
    finally:
        progress.end()
    return agreement


def _refuse_folder(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / INDEX_FILE).is_file():
        raise StorageError(
            f"an export must go to a new folder, but {in_full(folder)} is something else; name another folder"
        )
    if not overwrite:
        raise StorageError(
            f"an export must go to a new folder, but {in_full(folder)} exists; try {OVERWRITE} to replace it",
            python=OVERWRITE,
        )


def _on_cpu(run: LoadedRun | str | Path) -> LoadedRun:
    """Load a run on the CPU, also one that was loaded elsewhere."""
    if isinstance(run, LoadedRun) and next(run.ranker.parameters()).device.type == "cpu":
        return run
    return load_run(run.source if isinstance(run, LoadedRun) else run, device=torch.device("cpu"))


def _example_rows(run: LoadedRun) -> RawRows | None:
    """Read the example rows of a bundle; None if there are none."""
    if run.bundle is None or run.bundle.example_rows is None:
        return None
    return next(read_rows(run.bundle.example_rows, run.encoder.csv), None)


def _warn_of_bf16(run: LoadedRun) -> None:
    if run.recipe.training.execution.precision == "bf16":
        _logger.warning(
            "%s scores in bf16 (training.precision), and its export in float32: its probabilities differ from those of "
            "predict by what bf16 rounds",
            run.source,
        )


def _facts(run: LoadedRun, form: ExportFormat, checked: Mapping[str, Any]) -> dict[str, Any]:
    inputs = inputs_of(run.encoder.schema)
    return {
        "format_version": FORMAT_VERSION,
        "format": form.name,
        "file": form.file,
        "name": run.recipe.name,
        "model": run.recipe.model.kind,
        "num_members": max(1, len(run.members)),
        "tasks": list(run.encoder.schema.tasks),
        "inputs": [{"name": each.name, "type": each.type_name, "width": each.width} for each in inputs],
        "output": {"name": "probability", "type": "float64", "width": len(run.encoder.schema.tasks)},
        "hashed_vocabularies": run.encoder.manifest.vocabulary_salt is not None,
        "checked": dict(checked),
        "versions": {"rankelastor": rankelastor.__version__, **dict(filter(None, map(_version, _PACKAGES)))},
    }


def _version(package: str) -> tuple[str, str] | None:
    try:
        return package, version(package)
    except PackageNotFoundError:
        return None


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")

"""Tests that damage of every kind is found, and that nothing but an error of ours comes out."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.bundles.bundled_runs import tiny_run

from rankelastor.bundles.examples import ExampleScores
from rankelastor.bundles.make import BundleOptions, bundle_run
from rankelastor.bundles.verify import verify, verify_bundle
from rankelastor.checksums import checksum_of_json, checksums_below
from rankelastor.errors import RankElastorError, RunError
from rankelastor.native.library import SWITCH
from rankelastor.runs.bundle_file.archive import open_archive, write_archive
from rankelastor.runs.load import load_run
from rankelastor.runs.weights import read_weights, write_weights


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that is whole."""
    folder = tmp_path_factory.mktemp("whole")
    bundle_run(tiny_run(folder), folder / "model.rank", options=BundleOptions(measure=False))
    return folder / "model.rank"


def rewritten(whole: Path, target: Path, change: Callable[[Path], None]) -> Path:
    """Change files of a bundle and write it again with right checksums, as somebody who means harm would."""
    folder = target.parent / "inside"
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(whole) as packed:
        packed.extractall(folder)
    with open_archive(whole) as archive:
        index = archive.index
    (folder / "bundle.json").unlink()
    change(folder)
    files = checksums_below(folder, [path for path in folder.rglob("*") if path.is_file()])
    write_archive(target, type(index)(**{**vars(index), "files": files}), folder)
    return target


def test_a_whole_bundle_scores_its_rows_again_bit_for_bit(whole: Path) -> None:
    found = verify(whole)
    assert (found.is_whole, found.kind, found.unchecked) == (True, "bundle", ())
    assert verify_bundle(whole).scores == "10 example rows have the same probabilities, bit for bit"


def test_a_run_folder_is_still_verified(whole: Path) -> None:
    assert verify(whole.parent / "run").kind == "run"


def test_a_bundle_cut_short_anywhere_is_refused(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    cut = tmp_path / "cut.rank"
    for length in range(2, len(content), len(content) // 40):
        cut.write_bytes(content[:length])
        with pytest.raises(RunError, match=r"cut.rank must be a (whole )?bundle"):
            load_run(cut)


def test_a_flipped_bit_anywhere_is_found(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    flipped = tmp_path / "flipped.rank"
    for place in range(2, len(content), 1 + len(content) // 60):
        flipped.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        with suppress(RankElastorError):  # or it lies where the archive has no meaning, such as a time
            if verify(flipped).is_whole:
                np.testing.assert_array_equal(vars(load_run(flipped).calibration), vars(load_run(whole).calibration))
                assert verify_bundle(flipped).scores == verify_bundle(whole).scores


def test_a_changed_weight_is_noticed_by_the_rows_even_if_all_checksums_are_right(whole: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        path = folder / "run" / "checkpoints" / "best.safetensors"
        tensors = read_weights(path)
        bias = next(name for name in tensors if name.endswith("out.bias"))
        tensors[bias] += 0.01
        features = load_run(whole).encoder.manifest.feature_digest
        write_weights(tensors, path, features=features)
        (folder / "run" / "checksums.json").write_text(_without_seal_of(folder / "run" / "checksums.json"))

    found = verify(rewritten(whole, tmp_path / "changed.rank", change))
    assert not found.is_whole
    assert "is scored" in found.damage["examples/rows.parquet"]


def _without_seal_of(path: Path) -> str:
    values = json.loads(path.read_text())
    values["files"].pop("checkpoints/best.safetensors", None)
    return json.dumps(values)


def test_example_rows_that_would_fill_the_memory_are_refused_before_they_are_read(whole: Path, tmp_path: Path) -> None:
    def multiply(folder: Path) -> None:
        path = folder / "examples" / "rows.parquet"
        pq.write_table(pa.concat_tables([pq.read_table(path)] * 200), path)

    bomb = rewritten(whole, tmp_path / "bomb.rank", multiply)
    assert verify(bomb).damage == {"examples/rows.parquet": "it holds 2,000 rows and not 10"}
    with pytest.raises(RunError, match=r"examples/rows.parquet is damaged: it holds 2,000 rows and not 10"):
        load_run(bomb)
    gone = rewritten(whole, tmp_path / "gone.rank", lambda folder: (folder / "examples" / "rows.parquet").unlink())
    assert verify(gone).damage == {"examples/rows.parquet": "10 rows are promised, and there are none"}


def test_probabilities_of_other_rows_are_noticed(whole: Path, tmp_path: Path) -> None:
    def shorten(folder: Path) -> None:
        path = folder / "examples" / "scores.json"
        values = json.loads(path.read_text())
        path.write_text(json.dumps(values | {"probability": values["probability"][:4]}))

    found = verify(rewritten(whole, tmp_path / "other.rank", shorten))
    assert found.damage == {"examples/scores.json": "it holds 4 probabilities of 10 rows"}


def test_a_newer_version_is_refused_by_name(whole: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.rank"
    with zipfile.ZipFile(whole) as packed, zipfile.ZipFile(newer, "w") as written:
        for member in packed.infolist():
            content = packed.read(member)
            if member.filename == "bundle.json":
                values = json.loads(content) | {"format_version": 2}
                values.pop("digest")
                content = json.dumps(values | {"digest": checksum_of_json(values)}).encode()
            written.writestr(member.filename, content)
    with pytest.raises(
        RunError, match=r"format_version 1 or lower, but has 2: a newer version of rankelastor wrote it"
    ):
        verify(newer)


def test_other_processors_may_differ_within_a_tolerance_only() -> None:
    stored = ExampleScores(("click",), np.array([[0.5], [0.25]]), {"processor": "one"})
    near, far = np.array([[0.500001], [0.25]]), np.array([[0.5], [0.2502]])
    assert stored.difference_to(ExampleScores(("click",), near, {"processor": "two"})) is None
    assert stored.difference_to(ExampleScores(("click",), near, {"processor": "one"})) is not None
    said = stored.difference_to(ExampleScores(("click",), far, {"processor": "two"}))
    assert said == "row 2 was scored 0.250000000 and is scored 0.250200000 here (1 rows differ)"
    nothing = np.array([[np.nan], [0.25]])
    assert stored.difference_to(ExampleScores(("click",), nothing, {"processor": "two"})) is not None


@pytest.mark.slow  # a process of its own
def test_plain_layers_in_place_of_kernels_agree_within_the_tolerance(whole: Path) -> None:
    command = [sys.executable, "-m", "rankelastor", "verify", str(whole)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, SWITCH: "off"})
    assert "10 example rows have the same probabilities" in found.stdout

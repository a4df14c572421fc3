"""Exports of runs, ensembles and bundles: their files score as the ranker does, or they are refused."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from tests.bundles.bundled_runs import tiny_run
from tests.conftest import CLICKS

from rankelastor import export_run
from rankelastor.bundles.make import BundleOptions, bundle_run
from rankelastor.calibration.calibration import Calibration
from rankelastor.calibration.calibrators import IsotonicCalibrator
from rankelastor.calibration.choice import CalibratorChoice
from rankelastor.errors import RunError, SettingsError, StorageError
from rankelastor.export import export_run as module
from rankelastor.export import native_package, onnx_file
from rankelastor.export.graph import ScoringGraph, graph_of
from rankelastor.models.ensemble import EnsembleRanker
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.serving.predict_proba import predict_proba

ROWS = pl.read_csv(CLICKS.encode()).drop("click")


@pytest.fixture(scope="module", params=["onnx", "pt2"])
def exported(request: pytest.FixtureRequest, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("exported") / request.param
    done = export_run(bundle, folder, output_format=request.param)
    assert (done.rows, done.agreement.num_rows, done.agreement.batch_sizes) == ("example", 10, (1, 2, 7, 10))
    assert done.agreement.largest_difference < 1e-6
    return folder


def scores_by_its_readme(folder: Path, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the code that the README of an export shows, in the folder."""
    _, _, code = (folder / "README.md").read_text().partition("```python\n")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    names: dict[str, Any] = {}
    exec(code.partition("```")[0], names)
    sys.modules.pop("encode")
    return np.asarray(names["score"](rows))


def test_the_code_of_its_readme_gives_the_probabilities_of_predict(
    exported: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = scores_by_its_readme(exported, ROWS.to_dicts(), monkeypatch)
    assert found.shape == (10, 1)
    np.testing.assert_allclose(found[:, 0], predict_proba(bundle, ROWS), atol=1e-6)
    assert found.mean() < 0.3  # negatives that were left out are made up for


def test_export_json_tells_inputs_outputs_and_the_checksum_of_each_file(exported: Path) -> None:
    facts = json.loads((exported / "export.json").read_text())
    assert facts["inputs"] == [
        {"name": "categorical", "type": "int64", "width": 2}, {"name": "numeric", "type": "float32", "width": 1},
    ]  # fmt: skip
    assert facts["output"] == {"name": "probability", "type": "float64", "width": 1}
    assert (facts["tasks"], facts["model"], facts["checked"]["tolerance"]) == (["click"], "rankelastor", 1e-5)
    held = {path.name for path in exported.iterdir() if path.is_file()}  # encode.py may have been compiled beside
    assert (
        held
        == {facts["file"], "export.json", "encoding.json", "encode.py", "README.md"}
        == {*facts["files"], "export.json"}
    )
    for name, each in facts["files"].items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == each["sha256"]


def test_no_file_names_folders_of_this_machine(exported: Path) -> None:
    for path in filter(Path.is_file, exported.iterdir()):
        content = path.read_bytes()
        for place in (Path.home(), Path(module.__file__).parents[3], exported.parent):
            assert str(place).encode() not in content, path


def with_calibrators(run: LoadedRun) -> LoadedRun:
    """Make an ensemble of a run and one with other weights, with steps for a calibrator."""
    torch.manual_seed(1)
    other = load_run(run.folder)
    for parameter in other.ranker.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    ensemble = EnsembleRanker([run.ranker, other.ranker], logit_shifts=[0.0, 0.5]).eval()
    steps = IsotonicCalibrator((-2.0, -0.5, -0.499999, 1.0), (0.1, 0.2, 0.6, 0.9))
    calibration = Calibration({"click": CalibratorChoice("isotonic", steps)}, offset=-0.3)
    return replace(run, ranker=ensemble, members=(run, other), calibration=calibration)


def test_members_calibrators_and_offsets_are_inside(run: LoadedRun) -> None:
    ensemble = with_calibrators(run)
    rows = module._example_rows(run)
    assert rows is not None
    batch = run.encoder.encode(rows)
    with torch.no_grad():
        found = graph_of(ensemble)(categorical=batch.categorical.long(), numeric=batch.numeric)
    np.testing.assert_allclose(found[:, 0].numpy(), predict_proba(ensemble, ROWS), atol=3e-6)


def test_averaged_weights_are_those_of_the_graph(run: LoadedRun, tmp_path: Path) -> None:
    averaged = load_run(tiny_run(tmp_path, averaged_weights={"decay": 0.9}))
    assert not torch.equal(*(each.ranker.state_dict()["embedding.table"] for each in (run, averaged)))
    rows = module._example_rows(run)
    assert rows is not None
    batch = averaged.encoder.encode(rows)
    with torch.no_grad():
        found = graph_of(averaged)(categorical=batch.categorical.long(), numeric=batch.numeric)
    np.testing.assert_allclose(found[:, 0].numpy(), predict_proba(averaged, ROWS), atol=3e-6)


def test_a_graph_that_disagrees_is_refused_and_leaves_nothing(
    run: LoadedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = ScoringGraph(run.ranker, logit_shift=0.01, calibration=run.calibration)
    monkeypatch.setattr(module, "graph_of", lambda _: wrong)
    with pytest.raises(
        RunError, match=r"within 1e-05, but rankelastor in PyTorch gives 0\.\d{9} and not 0\.\d{9} for row 1"
    ):
        export_run(run, tmp_path / "out", output_format="pt2")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_only_if_it_is_an_export_and_that_was_asked_for(
    run: LoadedRun, exported: Path, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match=rf"{exported.name} exists; try overwrite=True"):
        export_run(run, exported)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(StorageError, match=r"other is something else; name another folder"):
        export_run(run, tmp_path / "other", overwrite=True)


def test_hashed_vocabularies_stay_hashed_in_an_export_that_replaces_an_earlier_one(
    run: LoadedRun, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle_run(run.folder, tmp_path / "hashed.rank", options=BundleOptions(hash_vocabularies=True, measure=False))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "export.json").write_text("{}")
    (folder / "model.onnx").write_text("earlier")
    done = export_run(tmp_path / "hashed.rank", folder, output_format="pt2", overwrite=True)
    assert (done.rows, done.agreement.num_rows) == ("made", 100)
    assert not (folder / "model.onnx").exists()
    assert "tablet" not in (folder / "encoding.json").read_text()
    found = scores_by_its_readme(folder, ROWS.to_dicts(), monkeypatch)
    np.testing.assert_allclose(found[:, 0], predict_proba(bundle, ROWS), atol=1e-6)


def test_a_bundle_that_is_cut_short_is_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "short.rank").write_bytes(bundle.read_bytes()[:-100])
    with pytest.raises(RunError, match=r"short.rank must be a whole bundle"):
        export_run(tmp_path / "short.rank", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_is_refused_with_those_that_there_are(run: LoadedRun, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"one of onnx, pt2, aoti, but 'onx' was given; did you mean onnx\?"):
        export_run(run, tmp_path / "out", output_format="onx")  # type: ignore[arg-type]


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_the_extra_that_installs_it(
    run: LoadedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None if name == package else "there")
    with pytest.raises(
        SettingsError, match=rf"^{package} must be installed to export ONNX.*\[export\]'?, or the format pt2"
    ):
        export_run(run, tmp_path / "out")


def test_without_a_compiler_other_formats_are_advised(
    run: LoadedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        SettingsError, match=r"but no-such-compiler is not; install one, .* or try the format pt2 or onnx"
    ):
        export_run(run, tmp_path / "out", output_format="aoti")


@pytest.mark.slow  # the beginning of a compilation
def test_a_compiler_that_fails_is_named(run: LoadedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(SettingsError, match=r"but false fails: .*; name another in CXX, or try the format pt2 or onnx"):
        export_run(run, tmp_path / "out", output_format="aoti")
    assert not (tmp_path / "out").exists()


def test_a_run_that_scores_in_bf16_is_exported_in_float32_with_a_warning(
    run: LoadedRun, caplog: pytest.LogCaptureFixture
) -> None:
    training = run.recipe.training
    execution = training.execution.model_copy(update={"precision": "bf16"})
    recipe = run.recipe.model_copy(update={"training": training.model_copy(update={"execution": execution})})
    module._warn_of_bf16(run)
    assert not caplog.records
    module._warn_of_bf16(replace(run, recipe=recipe))
    assert "scores in bf16 (training.precision), and its export in float32" in caplog.text


@pytest.mark.slow  # a compilation
def test_native_code_scores_as_the_ranker(run: LoadedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native_package.require_compiler()
    done = export_run(run, tmp_path / "out", output_format="aoti")
    assert done.agreement.largest_difference < 1e-6
    assert "load it only if you trust" in (tmp_path / "out" / "README.md").read_text()
    found = scores_by_its_readme(tmp_path / "out", ROWS.to_dicts(), monkeypatch)
    np.testing.assert_allclose(found[:, 0], predict_proba(run, ROWS), atol=1e-6)

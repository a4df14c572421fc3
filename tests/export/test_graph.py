"""The exported graph computes what a run's scorer computes, for every model, with calibrators of every kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from tests.models.every_model import KINDS, VARIANTS, small
from tests.models.test_sequences import LAYERS, read_by
from tests.models.test_sequences import SCHEMA as SEQUENCES
from tests.models.test_tasks import SHARINGS

from rankelastor.calibration.calibration import NO_CALIBRATION, Calibration
from rankelastor.calibration.calibrators import AffineCalibrator, IsotonicCalibrator
from rankelastor.calibration.choice import CalibratorChoice
from rankelastor.export import onnx_file
from rankelastor.export.formats import FORMATS, ExportFormat
from rankelastor.export.graph import IsotonicLayer, ScoringGraph
from rankelastor.export.graph_inputs import inputs_of, made_rows, tensors_of
from rankelastor.export.torch_program import trace
from rankelastor.models.build import build_ranker
from rankelastor.models.ensemble import EnsembleRanker
from rankelastor.nn.embedding.pretrained import PretrainedEmbedding
from rankelastor.schema import (
    CategoricalFeature,
    Feature,
    FeatureSchema,
    NumericFeature,
    PretrainedVectors,
    SequenceFeature,
)

FLAT: tuple[Feature, ...] = (
    CategoricalFeature("site", 500), NumericFeature("price"), CategoricalFeature("user", 9), NumericFeature("age"),
)  # fmt: skip
RICH: tuple[Feature, ...] = (
    *FLAT,
    SequenceFeature("history", 500, 3, "site"),
    CategoricalFeature("last", 500, "site", element_of="history"),
    NumericFeature("length", num_edges=4),
    CategoricalFeature("position", 6, serving_id=1),
    NumericFeature("delay", serving_number=0.5),
    CategoricalFeature("title", 7, pretrained=PretrainedVectors(3, trained=False)),
)
TASKS = ("click", "buy")
STEPS = IsotonicCalibrator((-1.0, -0.5, 0.25, 1.0), (0.1, 0.2, 0.3, 0.9))
CALIBRATION = Calibration(
    {
        "click": CalibratorChoice("isotonic", STEPS),
        "buy": CalibratorChoice("platt", AffineCalibrator(slope=0.5, offset=0.1)),
    },
    offset=-0.7,
)


def graph(name: str, schema: FeatureSchema, calibration: Calibration = NO_CALIBRATION, **changes: Any) -> ScoringGraph:
    torch.manual_seed(0)
    ranker = build_ranker(small(name, **changes), schema).eval()
    torch.nn.init.normal_(ranker.embedding.table[1:].data)
    for layer in ranker.embedding.pretrained.values():
        assert isinstance(layer, PretrainedEmbedding)
        layer.set_vectors(torch.randn(7, 3))
    return ScoringGraph(ranker, logit_shift=0.25, calibration=calibration)


def check(found: ScoringGraph, schema: FeatureSchema, form: ExportFormat, folder: Path) -> None:
    """Write the graph, and compare it with itself at several batch sizes."""
    inputs = inputs_of(schema)
    path = folder / form.file
    form.write(trace(found, inputs), path)
    scores = form.open(path)
    rows = made_rows(schema, num_rows=50)
    for size in (1, 2, 7, 50):
        tensors = tensors_of(next(rows.split(size)), inputs)
        with torch.no_grad():
            expected = found(**tensors).numpy()
        assert expected.shape == (size, len(schema.tasks))
        np.testing.assert_allclose(scores(tensors), expected, rtol=0, atol=5e-6)  # calibrators round to 1e-6


FORMS = pytest.mark.parametrize("form", FORMATS[:2], ids=lambda form: form.name)


@FORMS
def test_sequences_tasks_served_values_edges_and_calibrators_are_in_the_graph(
    form: ExportFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With weights that are too many for one file, as if they were."""
    monkeypatch.setattr(onnx_file, "MOST_EMBEDDED_BYTES", 0)
    schema = FeatureSchema(RICH, tasks=TASKS)
    found = graph("logistic_regression", schema, CALIBRATION)
    check(found, schema, form, tmp_path)
    if form.name == "onnx":
        assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
        assert (tmp_path / "model.onnx.data").stat().st_size > 0


def test_an_ensemble_is_one_graph(tmp_path: Path) -> None:
    schema = FeatureSchema(FLAT, tasks=TASKS)
    members = [graph(name, schema).ranker for name in ("fm", "logistic_regression")]
    ensemble = EnsembleRanker(members, logit_shifts=[0.0, 0.5])
    found = ScoringGraph(ensemble, logit_shift=0.25, calibration=CALIBRATION)
    check(found, schema, FORMATS[1], tmp_path)
    rows = made_rows(schema)
    logits = torch.stack([member(rows).double() for member in members]).mean(dim=0) + 0.5
    expected = expit(CALIBRATION(logits.detach().numpy()))
    np.testing.assert_allclose(found(**tensors_of(rows, inputs_of(schema))).detach().numpy(), expected, atol=3e-6)


@pytest.mark.slow
@FORMS
def test_a_layer_over_sequences_can_be_exported_with_all_kinds_of_features(form: ExportFormat, tmp_path: Path) -> None:
    schema = FeatureSchema(RICH, tasks=TASKS)
    check(graph("fm", schema, CALIBRATION, sequence=read_by("target_attention-prelu")), schema, form, tmp_path)


@pytest.mark.slow
@FORMS
def test_a_tower_and_waves_of_numbers_can_be_exported(form: ExportFormat, tmp_path: Path) -> None:
    schema = FeatureSchema(RICH, tasks=TASKS)
    changes = {"numbers": {"kind": "periodic"}, "shallow_tower": {"features": ["position"]}}
    check(graph("mlp", schema, CALIBRATION, **changes), schema, form, tmp_path)


@pytest.mark.slow  # five seconds for a model
@FORMS
@pytest.mark.parametrize("name", VARIANTS)
def test_every_model_can_be_exported(name: str, form: ExportFormat, tmp_path: Path) -> None:
    schema = FeatureSchema(FLAT, tasks=TASKS)
    check(graph(name, schema, replace(CALIBRATION, offset=0.0)), schema, form, tmp_path)


@pytest.mark.slow
@FORMS
@pytest.mark.parametrize("layer", LAYERS)
def test_every_sequence_layer_can_be_exported(layer: str, form: ExportFormat, tmp_path: Path) -> None:
    check(graph("dcn_v2", SEQUENCES, sequence=read_by(layer)), SEQUENCES, form, tmp_path)


@pytest.mark.slow
@FORMS
@pytest.mark.parametrize("kind", KINDS)
def test_every_model_can_be_exported_with_sequences_and_shared_tasks(
    kind: str, form: ExportFormat, tmp_path: Path
) -> None:
    schema = FeatureSchema(SEQUENCES.features, tasks=TASKS)
    found = graph(kind, schema, CALIBRATION, sequence=read_by("transformer"), tasks=SHARINGS["mmoe"])
    check(found, schema, form, tmp_path)


@pytest.mark.slow
@FORMS
@pytest.mark.parametrize("sharing", SHARINGS)
def test_every_sharing_of_tasks_can_be_exported(sharing: str, form: ExportFormat, tmp_path: Path) -> None:
    schema = FeatureSchema(FLAT, tasks=TASKS)
    check(graph("deepfm", schema, tasks=SHARINGS[sharing]), schema, form, tmp_path)


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=20))
def test_calibrators_in_the_graph_are_those_of_the_run(logits: list[float]) -> None:
    values = np.array([*logits, -1.0, 0.25, 1.0, 99.0, -99.0])
    expected = expit(STEPS(values))
    np.testing.assert_allclose(IsotonicLayer(STEPS)(torch.from_numpy(values)).sigmoid().numpy(), expected, atol=1e-12)


def test_a_calibrator_of_one_knot_gives_its_probability() -> None:
    layer = IsotonicLayer(IsotonicCalibrator((0.5,), (0.25,)))
    assert layer(torch.tensor([-3.0, 0.5, 7.0]).double()).sigmoid().tolist() == pytest.approx([0.25] * 3)


def test_without_calibration_probabilities_are_those_of_shifted_logits() -> None:
    schema = FeatureSchema(FLAT)
    found = graph("fm", schema)
    rows = made_rows(schema)
    with torch.no_grad():
        expected = torch.sigmoid(found.ranker(rows).double() + 0.25)
        assert torch.equal(found(**tensors_of(rows, inputs_of(schema))), expected)

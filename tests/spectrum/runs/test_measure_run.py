from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.observe_outputs import observe_outputs

from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.manifest import Manifest, SplitSummary
from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import DataError, RunError, SettingsError
from rankelastor.recipes.load import recipe_from_values
from rankelastor.runs.load import load_run
from rankelastor.runs.seal import Seal
from rankelastor.schema import Batch
from rankelastor.spectrum.measures import MEASURES, stable_rank
from rankelastor.spectrum.report.write import write_report
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
from rankelastor.training.run import train

Spectra = tuple[RunSpectrum, ...]


def copy_run(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "copy"))


def seal(run: Path) -> None:
    """Compute the checksums of a run that was changed."""
    Seal.of_finished(run, (run / "result.json").read_text(encoding="utf-8")).write()


def test_each_stage_is_the_mean_over_the_examples_of_the_split(
    demo_runs: tuple[Path, Path], demo_spectra: Spectra
) -> None:
    run = load_run(demo_runs[1])
    test = PreparedDataset.open(run.recipe.data.prepared).split("test")
    (batch,) = BatchLoader(test, batch_size=10_000).epoch()
    seen: dict[str, torch.Tensor] = {}
    with observe_outputs(run.ranker.points, seen.__setitem__), torch.no_grad():
        run.ranker(batch)
    by_hand = {point: float(stable_rank(tokens.double()).mean()) for point, tokens in seen.items() if point != "fields"}
    path = demo_spectra[1].trajectories["stable_rank"]
    assert {stage.point: stage.mean for stage in path.stages} == pytest.approx(by_hand, rel=1e-5)
    assert {stage.count for stage in path.stages} == {test.num_rows} == {demo_spectra[1].num_examples}


def test_every_measure_has_a_trajectory_and_a_verdict(demo_spectra: Spectra) -> None:
    for spectrum in demo_spectra:
        assert list(spectrum.trajectories) == list(spectrum.verdicts) == list(MEASURES)
        assert spectrum.problems == ()


def test_a_spectrum_survives_json(demo_spectra: Spectra) -> None:
    assert RunSpectrum.from_json(demo_spectra[1].to_json()) == demo_spectra[1]


def test_embedding_tables_know_their_rows_and_how_often_their_values_were_seen(
    demo_runs: tuple[Path, Path], demo_spectra: Spectra
) -> None:
    table = {found.field: found for found in demo_spectra[0].tables}["site"]
    vocabulary = Vocabulary.read(demo_runs[0] / "features" / "vocabulary" / "site.parquet", blank="value")
    assert table.num_known_values == len(vocabulary.values)
    assert table.spectrum.num_rows == len(vocabulary.values) + 1  # plus one row for values out of vocabulary
    assert table.num_occurrences == vocabulary.counts.sum()


def test_the_tables_are_cut_out_of_the_shared_one_at_the_right_rows(
    demo_runs: tuple[Path, Path], demo_spectra: Spectra
) -> None:
    run = load_run(demo_runs[0])
    vocabulary = run.encoder.vocabularies["site"]
    place = [feature.name for feature in run.encoder.schema.categorical].index("site")
    ids = torch.zeros(len(vocabulary.values) + 1, len(run.encoder.schema.categorical), dtype=torch.int64)
    ids[:, place] = torch.arange(1, vocabulary.num_ids)
    batch = Batch(categorical=ids, numeric=torch.zeros(len(ids), 0), labels=None, group=None)
    table = run.ranker.embedding.table.detach()[run.ranker.embedding.rows_of(batch)[:, place]]
    measured = {found.field: found for found in demo_spectra[0].tables}["site"].spectrum.measures["stable_rank"]
    assert measured == pytest.approx(float(stable_rank(table.double())), rel=1e-5)


def test_only_a_mixing_with_a_matrix_has_a_map(demo_spectra: Spectra) -> None:
    assert demo_spectra[0].mixings == ()
    assert [found.point for found in demo_spectra[1].mixings] == ["block0.mixing", "block1.mixing"]


def test_fewer_examples_are_the_first_of_the_split(demo_runs: tuple[Path, Path]) -> None:
    spectrum = measure_run(demo_runs[0], split="valid", num_examples=10)
    assert (spectrum.split, spectrum.num_examples) == ("valid", 10)
    assert {point.num_examples for point in spectrum.recording.points} == {10}


def test_another_module_can_be_recorded_beside_the_stages(demo_runs: tuple[Path, Path]) -> None:
    spectrum = measure_run(demo_runs[0], num_examples=10, more_points=["network.blocks.0.norm"])
    assert [point.point for point in spectrum.recording.points] == [*spectrum.stages, "network.blocks.0.norm"]


def test_a_point_that_does_not_exist_is_named_with_those_that_do(demo_runs: tuple[Path, Path]) -> None:
    with pytest.raises(SettingsError, match=r"one of fields, tokens, block0\.mixing, .* but 'block9' was given"):
        measure_run(demo_runs[0], more_points=["block9"])


def test_a_run_without_weights_is_refused(demo_runs: tuple[Path, Path], tmp_path: Path) -> None:
    run = copy_run(demo_runs[0], tmp_path)
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(RunError, match=r"best\.safetensors"):
        measure_run(run)


def change_test_split(run: Path, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Copy the run with a prepared folder that has another list of splits."""
    copied = copy_run(run, folder)
    prepared = load_run(copied).recipe.data.prepared
    changed = Path(shutil.copytree(prepared, folder / "prepared"))
    recipe = copied / "config.yaml"
    recipe.write_text(recipe.read_text().replace(str(prepared), str(changed)))
    environment = copied / "environment.json"
    environment.write_text(environment.read_text().replace(str(prepared), str(changed)))
    seal(copied)
    manifest = Manifest.read(changed)
    splits = manifest.model_dump()["splits"]
    change(splits)
    manifest.model_copy(update={"splits": {name: SplitSummary(**each) for name, each in splits.items()}}).write(changed)
    return copied


def test_a_split_that_is_missing_is_refused(demo_runs: tuple[Path, Path], tmp_path: Path) -> None:
    run = change_test_split(demo_runs[0], tmp_path, lambda splits: splits.pop("test"))
    with pytest.raises(DataError, match="must have the split 'test', but has only train, valid"):
        measure_run(run)


def test_a_split_without_rows_is_refused(demo_runs: tuple[Path, Path], tmp_path: Path) -> None:
    run = change_test_split(demo_runs[0], tmp_path, lambda splits: splits["test"].update(num_rows=0, num_shards=0))
    with pytest.raises(DataError, match=r"test must hold a shard, but schema\.json says 0"):
        measure_run(run)


def test_one_example_is_too_few(demo_runs: tuple[Path, Path]) -> None:
    with pytest.raises(SettingsError, match="at least 2, but 1 was given"):
        measure_run(demo_runs[0], num_examples=1)


def test_nan_activations_are_reported_and_not_hidden(demo_runs: tuple[Path, Path], tmp_path: Path) -> None:
    run = copy_run(demo_runs[0], tmp_path)
    weights = load_file(run / "checkpoints" / "best.safetensors")
    poisoned = next(name for name in weights if "blocks.1.pffn" in name)
    weights[poisoned] = torch.full_like(weights[poisoned], torch.finfo(torch.float32).max)  # overflows behind it
    save_file(weights, run / "checkpoints" / "best.safetensors")
    seal(run)
    spectrum = measure_run(run, num_examples=20)
    assert "20 of 20 examples have NaN or infinite activations after block1.pffn" in spectrum.problems[0]
    assert "no trajectory and no verdict" in spectrum.problems[1]
    assert spectrum.trajectories == {}
    assert spectrum.recording["block0.pffn"].examples["stable_rank"].count == 20


@pytest.mark.parametrize(
    "model",
    [{"kind": "mlp", "hidden_dims": [6]}, {"kind": "dcn_v2", "hidden_dims": [6]}],
    ids=lambda model: str(model["kind"]),
)
def test_a_model_without_blocks_has_its_tables_measured_and_says_so(
    model: dict[str, Any], recipe_values: dict[str, Any], tmp_path: Path
) -> None:
    recipe = recipe_from_values(recipe_values | {"model": model | {"embedding_dim": 4}})
    run = train(recipe, folder=tmp_path / "run").folder
    spectrum = measure_run(run)
    assert (spectrum.stages, spectrum.mixings) == (("fields",), ())
    assert spectrum.recording["fields"].examples["stable_rank"].count == 10
    assert spectrum.trajectories == {}
    assert [table.field for table in spectrum.tables] == ["site", "device"]
    assert "no blocks of mixing and FFN" in spectrum.problems[0]
    assert write_report([spectrum], tmp_path / "report").page.is_file()

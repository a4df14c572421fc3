from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from rankelastor.cli.main import app
from rankelastor.runs.seal import Seal
from rankelastor.spectrum.runs.training_samples import read_samples
from rankelastor.studies.demo import run_demo


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with the runs rankmixer and rankelastor, which tests must not change."""
    folder = tmp_path_factory.mktemp("trained") / "demo"
    run_demo(folder, num_rows=1000)
    return folder / "runs"


def seal(run: Path) -> None:
    """Compute the checksums of a run that was changed."""
    Seal.of_finished(run, (run / "result.json").read_text(encoding="utf-8")).write()


def invoke(*arguments: str | int | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_it_prints_the_trajectory_and_where_the_report_is(runs: Path, tmp_path: Path) -> None:
    result = invoke("spectrum", runs / "rankmixer", runs / "rankel*", "--out", tmp_path, "--examples", 50)
    assert result.exit_code == 0, result.output
    for words in ("stable rank of each example's token matrix", "mixing 2", "possible", "rankelastor ends at"):
        assert words in result.output
    assert f"report: {tmp_path / 'report.html'}" in result.output
    assert [run["num_examples"] for run in json.loads((tmp_path / "spectrum.json").read_text())["runs"]] == [50, 50]


def test_the_report_of_one_run_stands_in_its_folder(runs: Path, tmp_path: Path) -> None:
    run = shutil.copytree(runs / "rankmixer", tmp_path / "run")
    result = invoke("spectrum", run, "--split", "valid", "--examples", 20, "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown["report"] == str(run / "spectrum" / "report.html")
    assert shown["runs"][0]["num_examples"] == 20
    assert shown["runs"][0]["stages"]["tokens"]["mean"] > 1
    assert (run / "spectrum" / "report.html").is_file()


@pytest.fixture(scope="module")
def seeds(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with two seeds of the RankMixer, which differ in their weights a little."""
    folder = tmp_path_factory.mktemp("seeds")
    for seed in (1, 2):
        run = shutil.copytree(runs / "rankmixer", folder / f"mixer-{seed}")
        recipe = run / "config.yaml"
        recipe.write_text(recipe.read_text().replace("  seed: 7", f"  seed: {seed}"))
        weights = load_file(run / "checkpoints" / "best.safetensors")
        scaled = {name: weight * (1 + 0.1 * seed) for name, weight in weights.items()}
        save_file(scaled, run / "checkpoints" / "best.safetensors")
        seal(run)
    return folder


def test_runs_that_differ_by_the_seed_are_one_model_and_a_quoted_pattern_finds_them(
    runs: Path, seeds: Path, tmp_path: Path
) -> None:
    result = invoke("spectrum", seeds / "mixer-*", runs / "rankelastor", "--group", "--examples", 50, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "mean with 95 % interval over seeds or over examples" in result.output
    assert re.search(r"seeds +2 +1", result.output)
    assert "for one more seed of mixer" in result.output
    written = json.loads((tmp_path / "spectrum.json").read_text())["runs"]
    assert [(run["name"], len(run["seeds"])) for run in written] == [("mixer", 2), ("rankelastor", 0)]


def test_runs_that_belong_to_no_group_are_shown_alone_with_a_warning(runs: Path, tmp_path: Path) -> None:
    result = invoke(
        "spectrum", runs / "rankmixer", runs / "rankelastor", "--group", "--examples", 20, "--out", tmp_path
    )
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "no two of these runs belong together by recipe" in said
    assert "Each is one trained model of one seed" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere does not exist; "),
        (["{run}", "{run}"], "was given twice"),
        (["{run}", "--measure", "rank"], "'stable_rank', 'entropy_effective_rank'"),
        (["{run}", "--point", "block9.mixing"], "a point must be one of fields, tokens, block0.mixing"),
    ],
)
def test_a_mistake_is_one_readable_message(runs: Path, arguments: list[str], words: str) -> None:
    result = invoke("spectrum", *[argument.format(run=runs / "rankmixer") for argument in arguments])
    assert result.exit_code == 2
    assert words in result.output


def test_nan_activations_are_reported(runs: Path, tmp_path: Path) -> None:
    run = shutil.copytree(runs / "rankmixer", tmp_path / "run")
    weights = load_file(run / "checkpoints" / "best.safetensors")
    poisoned = next(name for name in weights if "blocks.0.pffn" in name)
    weights[poisoned] = torch.full_like(weights[poisoned], torch.finfo(torch.float32).max)  # overflows behind it
    save_file(weights, run / "checkpoints" / "best.safetensors")
    seal(run)
    result = invoke("spectrum", run, "--examples", 20, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "20 of 20 examples have NaN or infinite activations after block0.pffn" in result.output
    assert "NaN or infinite" in (tmp_path / "out" / "spectrum.json").read_text()


def test_training_samples_the_rank_as_the_settings_say(runs: Path, tmp_path: Path) -> None:
    recipe, folder = runs / "rankmixer" / "config.yaml", tmp_path / "again"
    result = invoke(
        "train", recipe, "--run", folder, "--set", "training.epochs=2", "--set", "spectrum.every_steps=2", "--json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["epochs"] == 2
    assert [sample.step for sample in read_samples(folder)] == [1, 2]


def test_theory_prints_its_report_as_json() -> None:
    assert json.loads(invoke("theory", "--trials", "1", "--json").stdout)["num_trials"] == 1


def test_theory_prints_each_statement_and_writes_a_report(tmp_path: Path) -> None:
    result = invoke("theory", "--trials", "1", "--report", tmp_path / "theory")
    assert result.exit_code == 0, result.output
    for words in ("split_mixing_lower", "gate_gain", "GELU is not homogeneous", "theory.md"):
        assert words in result.output
    assert json.loads((tmp_path / "theory" / "theory.json").read_text())["num_trials"] == 1
    assert (tmp_path / "theory" / "theory.md").read_text().startswith("# The paper's bounds")

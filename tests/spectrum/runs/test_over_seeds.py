"""The mean over seeds of one model, worked out by hand from small recordings."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import pytest
import torch
from torch import nn

from rankelastor.errors import SettingsError
from rankelastor.spectrum.parameters import measure_matrix
from rankelastor.spectrum.recording.recorder import Recorder
from rankelastor.spectrum.runs.mixing_map import MixingMap
from rankelastor.spectrum.runs.over_seeds import over_seeds
from rankelastor.spectrum.runs.own_model import spectrum_of_recording
from rankelastor.spectrum.runs.run_spectrum import EmbeddingTable, RunSpectrum
from rankelastor.spectrum.runs.training_samples import StageSample, TrainingSample
from rankelastor.spectrum.seeds import mean_interval

STAGES = ("0", "1")


def sample(step: int, mean: float) -> TrainingSample:
    stage = StageSample(4, 0, {"stable_rank": mean}, {"stable_rank": 0.5})
    return TrainingSample(epoch=1, step=step, num_examples=10, stages={"0": stage})


def run(seed: int, *, num_tokens: int = 4) -> RunSpectrum:
    """Record a random model whose tokens depend on the seed."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(5, 6), nn.ReLU())
    with Recorder(network, STAGES, matrices=("example", "flattened")) as recorder, torch.no_grad():
        network(torch.randn(20 + seed, num_tokens, 5))
    spectrum = spectrum_of_recording(recorder.recording(), name=f"run-{seed}")
    table = EmbeddingTable("site", 3, 10, measure_matrix(torch.randn(4, 3), name="table"))
    norms = ((float(seed), 0.0), (0.0, 1.0))
    mixing = MixingMap("0", "W + I", norms, norms, measure_matrix(torch.randn(4, 4), name="W + I"))
    return replace(
        spectrum,
        seed=seed,
        test_auc=0.7 + seed / 100,
        tables=(table,),
        mixings=(mixing,),
        samples=(sample(1, float(seed)), sample(2, 2.0), *([sample(3, 1.0)] if seed == 1 else [])),
        num_steps=3,
    )


def test_means_are_over_the_runs_and_intervals_over_seeds() -> None:
    runs = [run(seed) for seed in (1, 2, 3)]
    group = over_seeds("group", runs)
    means = tuple(each.recording["1"].examples["stable_rank"].mean or 0 for each in runs)
    found = group.recording["1"].examples["stable_rank"]
    assert found.seeds == means
    assert found.mean == pytest.approx(fmean(means))
    assert found.confidence_interval == pytest.approx(mean_interval(means))
    last = group.trajectories["stable_rank"].stages[-1]
    assert (last.mean, last.seeds, last.confidence_interval) == (found.mean, means, found.confidence_interval)
    assert group.trajectories["stable_rank"].num_seeds == 3
    assert "(mean over 3 seeds)" in group.verdicts["stable_rank"].sentences[0]
    assert group.test_auc == pytest.approx(0.72)
    assert [(each.name, each.seed, each.test_auc) for each in group.seeds] == [
        ("run-1", 1, 0.71),
        ("run-2", 2, 0.72),
        ("run-3", 3, 0.73),
    ]


def test_densities_and_the_spread_are_those_of_all_examples() -> None:
    network = nn.Sequential(nn.Identity())
    tokens = torch.randn(30, 4, 5)
    recordings = []
    for part in (tokens[:12], tokens[12:], tokens):
        with Recorder(network, ["0"]) as recorder:
            network(part)
        recordings.append(recorder.recording())
    first, second, whole = (spectrum_of_recording(recording) for recording in recordings)
    found = over_seeds("group", [first, second]).recording["0"].examples["stable_rank"]
    expected = whole.recording["0"].examples["stable_rank"]
    assert found.histogram == expected.histogram
    assert (found.count, found.minimum, found.maximum) == (expected.count, expected.minimum, expected.maximum)
    assert found.standard_deviation == pytest.approx(expected.standard_deviation)


def test_flattened_matrices_tables_and_mixings_are_means_too() -> None:
    runs = [run(1), run(3)]
    group = over_seeds("group", runs)
    flattened = [each.recording["0"].flattened for each in runs]
    merged = group.recording["0"].flattened
    assert merged is not None
    assert merged.measures["stable_rank"] == pytest.approx(
        fmean(each.measures["stable_rank"] or 0 for each in flattened if each)
    )
    (table,) = group.tables
    assert table.spectrum.seeds["stable_rank"] == tuple(
        each.tables[0].spectrum.measures["stable_rank"] for each in runs
    )
    (mixing,) = group.mixings
    assert mixing.norms == ((2.0, 0.0), (0.0, 1.0))


def test_samples_are_averaged_at_the_steps_that_all_runs_have() -> None:
    group = over_seeds("group", [run(1), run(2)])
    assert [each.step for each in group.samples] == [1, 2]
    first = group.samples[0].stages["0"]
    assert first.means["stable_rank"] == 1.5
    assert first.standard_errors["stable_rank"] == pytest.approx(0.5)
    assert first.half_widths["stable_rank"] == pytest.approx(12.706 * 0.5, rel=1e-4)  # one degree of freedom


def test_other_differences_than_the_seed_are_a_problem() -> None:
    problems = over_seeds("group", [run(1), run(2)], differences=["model.ffn.dropout"]).problems
    assert problems[-1].startswith("These runs differ in more than the seed: model.ffn.dropout.")


def test_a_group_survives_json() -> None:
    group = over_seeds("group", [run(1), run(2)])
    assert RunSpectrum.from_json(group.to_json()) == group


def test_runs_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(SettingsError, match="at least 2 runs, but alone has 1"):
        over_seeds("alone", [run(1)])
    with pytest.raises(SettingsError, match="the same split"):
        over_seeds("group", [run(1), replace(run(2), split="valid")])
    with pytest.raises(SettingsError, match="token matrices of one shape"):
        over_seeds("group", [run(1), run(2, num_tokens=3)])

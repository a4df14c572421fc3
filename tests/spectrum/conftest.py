"""Fixtures: two rankers trained on a small synthetic log, with their rank sampled during training."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.spectrum.runs.observer import SpectrumObserver
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
from rankelastor.studies.demo import run_demo

NUM_ROWS = 1500


@pytest.fixture(scope="session")
def demo_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Train a RankMixer and a RankElastor and return their run folders, which tests must not change."""
    folder = tmp_path_factory.mktemp("trained") / "demo"
    sampled = SpectrumSettings(every_steps=2, examples=16)
    run_demo(
        folder,
        num_rows=NUM_ROWS,
        observers_for=lambda _model, run: [SpectrumObserver(sampled, run)],
    )
    return folder / "runs" / "rankmixer", folder / "runs" / "rankelastor"


@pytest.fixture(scope="session")
def demo_spectra(demo_runs: tuple[Path, Path]) -> tuple[RunSpectrum, ...]:
    """Measure the spectra of both runs over all rows of their test split."""
    return tuple(measure_run(run) for run in demo_runs)

"""A tiny run as a bundle, for all tests of exports."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bundles.bundled_runs import tiny_run

from rankelastor.bundles.make import BundleOptions, bundle_run
from rankelastor.runs.load import LoadedRun, load_run


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose log kept a tenth of its negatives."""
    folder = tmp_path_factory.mktemp("bundle")
    path: Path = folder / "model.rank"
    bundle_run(tiny_run(folder), path, options=BundleOptions(sampled_negatives=0.1, measure=False))
    return path


@pytest.fixture(scope="session")
def run(bundle: Path) -> LoadedRun:
    """The run in it."""
    return load_run(bundle)

"""Tests of the verb: what it writes and prints, and that other verbs take what it wrote."""

from pathlib import Path

import pytest
from tests.bundles.bundled_runs import tiny_run
from typer.testing import CliRunner

from rankelastor.cli.main import app


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the log and a run."""
    folder = tmp_path_factory.mktemp("verb")
    tiny_run(folder)
    return folder


def test_a_bundle_is_written_verified_and_scored(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.rank"
    code, said = call("bundle", folder / "run", target, "--quick")
    assert (code, "tiny, " in said, "with vocabularies and 10 example rows" in said) == (0, True, True)
    code, said = call("verify", target)
    assert code == 0
    assert "all are whole\n10 example rows have the same probabilities, bit for bit" in said
    assert call("predict", target, folder / "log" / "test.csv", tmp_path / "scored.csv")[0] == 0
    assert call("evaluate", target, "--on", folder / "log" / "test.csv")[0] == 0
    code, said = call("bundle", folder / "run", target)
    assert (code, "try --force" in said) == (2, True)
    target.write_bytes(target.read_bytes()[:-100])
    code, said = call("verify", target)
    assert (code, "must be a whole bundle" in said) == (2, True)


def test_a_bundle_without_rows_says_so(folder: Path, tmp_path: Path) -> None:
    code, said = call("bundle", folder / "run", tmp_path / "a.rank", "--quick", "--hash-vocabularies", "--no-examples")
    assert (code, "with hashed vocabularies and no example rows" in said) == (0, True)

"""How the kernels are built and loaded, and what happens where that is not possible."""

import logging
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from rankelastor.execution.lowering import Lowering
from rankelastor.native import library
from rankelastor.native.instruction_sets import PLAIN, InstructionSet
from rankelastor.native.library import kernels
from rankelastor.nn.projection import Projection


def test_without_a_compiler_training_works_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    projection, x = Projection(in_dim=5, hidden_dims=[8], out_dim=4), torch.randn(6, 5)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            lowering = Lowering(projection)
            assert torch.equal(lowering.current()(x), projection(x))
    (record,) = caplog.records
    assert "no no-such-compiler on the PATH" in record.getMessage()
    assert "try installing gcc or clang" in record.getMessage()


def test_threads_that_ask_at_once_get_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: kernels(), range(8))) == [None] * 8
    assert len(caplog.records) == 1


def test_a_damaged_library_is_built_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if kernels() is None:
        pytest.skip("needs a C compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    library._loaded.cache_clear()
    assert kernels() is not None
    (built,) = (tmp_path / "rankelastor").glob("kernels-*.so")
    other = tmp_path / "damaged"
    (other / "rankelastor").mkdir(parents=True, mode=0o700)
    (other / "rankelastor" / built.name).write_bytes(b"junk")
    monkeypatch.setenv("XDG_CACHE_HOME", str(other))
    library._loaded.cache_clear()
    assert kernels() is not None


def test_a_cache_that_others_can_write_to_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shared = tmp_path / "rankelastor"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert library._cache_folder() != shared


def test_without_a_home_there_is_a_folder_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert library._cache_folder().stat().st_mode & 0o077 == 0


def test_the_compiler_may_bring_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "cc -m64")
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    assert library._compiler()[1:] == ["-m64"]


def test_a_library_that_another_user_could_have_written_is_built_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built = tmp_path / "kernels.so"
    marker = tmp_path / "marker"
    marker.touch()

    def build(path: Path, instructions: InstructionSet) -> None:
        path.unlink(missing_ok=True)
        path.touch(mode=0o700)

    monkeypatch.setattr(library, "_build", build)
    monkeypatch.setattr(library, "_connect", lambda loaded: loaded)
    monkeypatch.setattr("ctypes.CDLL", lambda name: Path(name).resolve())
    built.touch()
    built.chmod(0o666)
    with pytest.raises(OSError, match="must be a file that only its user can write"):
        library._open_own(built)
    assert str(library._load(built, PLAIN)) == str(built)
    assert built.stat().st_mode & 0o022 == 0
    built.unlink()
    built.symlink_to(marker)
    assert str(library._load(built, PLAIN)) == str(built)
    assert not built.is_symlink()


def test_a_cache_below_a_folder_that_others_can_write_to_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "open" / "cache"))
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert tmp_path not in library._cache_folder().parents
    (tmp_path / "open").chmod(0o755)
    assert library._cache_folder() == tmp_path / "open" / "cache" / "rankelastor"


def test_a_compiler_that_waits_for_a_busy_machine_is_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_PROCESSOR_SECONDS", 1)
    library._compile(["sleep", "1.1"])


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process's time are set on Linux")
def test_a_compiler_that_computes_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_PROCESSOR_SECONDS", 1)
    with pytest.raises(subprocess.CalledProcessError):
        library._compile(["sh", "-c", "while :; do :; done"])


def test_a_compiler_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_BUILD_SECONDS", 0.1)
    with pytest.raises(subprocess.TimeoutExpired):
        library._compile(["sleep", "60"])

"""Fuzz all readers: only ``RankElastorError``s come out.

``RANKELASTOR_FUZZ=1000`` tries 1,000 inputs a reader in place of a few; ``make fuzz`` tries 100,000.
"""

import os

import numpy as np
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from tests.fuzz.readers import Reader, all_readers, mutate

NUM_INPUTS = int(os.environ.get("RANKELASTOR_FUZZ", "12"))
NAMES = (
    "recipe",
    "--set",
    "FuxiCTR",
    "schema.json",
    "shard",
    "vocabulary",
    "weights",
    "result.json",
    "checksums.json",
    "checkpoint",
    "calibration.json",
    "ensemble.json",
    "FuxiCTR vocabulary",
    "zip",
    "bundle",
    "CSV",
    "CSV in zstd",
    "Parquet",
    "Arrow",
    "Arrow stream",
    "npy",
    "npz",
)


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    """All readers by name."""
    return all_readers(tmp_path_factory.mktemp("readers"))


def test_every_reader_is_fuzzed_and_reads_its_own_input(readers: dict[str, Reader]) -> None:
    assert tuple(readers) == NAMES
    for name in {*NAMES} - {"result.json", "FuxiCTR"}:
        readers[name](readers[name].base)


@pytest.mark.parametrize("name", NAMES)
def test_only_our_own_errors_come_out_of_damaged_input(readers: dict[str, Reader], name: str) -> None:
    @seed(0)
    @settings(max_examples=NUM_INPUTS, database=None)
    @given(st.integers(0, 2**32 - 1))
    def check(number: int) -> None:
        readers[name](mutate(readers[name].base, np.random.default_rng(number)))

    check()


@pytest.mark.parametrize("name", NAMES)
def test_only_our_own_errors_come_out_of_any_bytes(readers: dict[str, Reader], name: str) -> None:
    for data in (
        b"",
        b"\0",
        b"\xff" * 100,
        b"PK\x03\x04",
        b"PAR1" * 4,
        b"\x93NUMPY",
        b"{" * 2000,
        readers[name].base[:-1],
    ):
        readers[name](data)

"""Measures of a matrix: closed forms by hand, a naive reference, invariances, their order, and bad input."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rankelastor.errors import SettingsError
from rankelastor.spectrum.measures import (
    MEASURES,
    all_measures,
    entropy_effective_rank,
    find_measure,
    information_abundance,
    numerical_rank,
    participation_ratio,
    stable_rank,
)
from rankelastor.spectrum.singular_values import SpectrumMethod

METHODS: tuple[SpectrumMethod, ...] = ("exact", "gram")
SMOOTH = [name for name in MEASURES if name != "numerical_rank"]
PARITY = sorted((Path(__file__).parents[1] / "parity").glob("*.npz"))
EXAMPLES = settings(max_examples=40, deadline=None, derandomize=True)


def random_matrix(seed: int, rows: int, columns: int, *, rank: int | None = None) -> Tensor:
    """Draw a float64 matrix of the given rank (default: full) whose singular values decay with a random power."""
    generator = torch.Generator().manual_seed(seed)
    size = min(rows, columns)
    left = torch.linalg.qr(torch.randn(rows, size, generator=generator, dtype=torch.float64)).Q
    right = torch.linalg.qr(torch.randn(columns, size, generator=generator, dtype=torch.float64)).Q
    decay = 3 * torch.rand((), generator=generator, dtype=torch.float64)
    values = torch.arange(1, size + 1, dtype=torch.float64) ** -decay
    values[size if rank is None else rank :] = 0
    matrix: Tensor = left @ torch.diag(values) @ right.mT
    return matrix


def with_singular_values(*values: float) -> Tensor:
    rotation: Tensor = torch.linalg.qr(torch.randn(len(values), len(values), dtype=torch.float64)).Q
    return rotation @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ torch.eye(len(values), 9).double()


matrices = st.builds(random_matrix, seed=st.integers(0, 10_000), rows=st.integers(1, 12), columns=st.integers(1, 12))


# Closed forms


@pytest.mark.parametrize("method", METHODS)
def test_the_identity_uses_every_direction_under_every_measure(method: SpectrumMethod) -> None:
    measured = all_measures(torch.eye(5, 8), method=method)
    assert {name: float(value) for name, value in measured.items()} == pytest.approx(dict.fromkeys(MEASURES, 5.0))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_rank_one_matrix_measures_one(method: SpectrumMethod, dtype: torch.dtype) -> None:
    matrix = torch.outer(torch.arange(1, 7), torch.arange(-3, 9)).to(dtype)
    for name, value in all_measures(matrix, method=method).items():
        assert float(value) == pytest.approx(1, abs=2e-5), name


@pytest.mark.parametrize("method", METHODS)
def test_known_singular_values_give_the_values_worked_out_by_hand(method: SpectrumMethod) -> None:
    matrix = with_singular_values(4, 2, 2, 0)
    assert float(stable_rank(matrix, method=method)) == pytest.approx(24 / 16)
    assert float(participation_ratio(matrix, method=method)) == pytest.approx(24**2 / (256 + 16 + 16))
    assert float(information_abundance(matrix, method=method)) == pytest.approx(8 / 4, abs=1e-7)
    # p = (1/2, 1/4, 1/4): entropy = (1/2) log 2 + (1/2) log 4 = (3/2) log 2
    assert float(entropy_effective_rank(matrix, method=method)) == pytest.approx(2**1.5, rel=1e-5)
    assert float(numerical_rank(matrix, method=method)) == 3


def test_stable_rank_is_the_frobenius_norm_over_the_spectral_norm_squared() -> None:
    matrix = random_matrix(3, 7, 4)
    naive = torch.linalg.matrix_norm(matrix) ** 2 / torch.linalg.matrix_norm(matrix, ord=2) ** 2
    torch.testing.assert_close(stable_rank(matrix), naive)


def test_numerical_rank_agrees_with_numpy() -> None:
    for rank in range(1, 6):
        matrix = random_matrix(rank, 6, 5, rank=rank)
        assert float(numerical_rank(matrix)) == np.linalg.matrix_rank(matrix.numpy()) == rank


def test_numerical_rank_counts_values_above_the_given_tolerance() -> None:
    matrix = with_singular_values(1, 0.5, 0.05, 0.005)
    assert [float(numerical_rank(matrix, tolerance=share)) for share in (0.6, 0.1, 0.01, 0)] == [1, 2, 3, 4]


# Parity with the published analysis code


@pytest.mark.parametrize("file", PARITY, ids=lambda file: file.stem)
@pytest.mark.parametrize("key", ["stable_rank", "entropy_erank"])
def test_stable_and_entropy_effective_rank_match_the_published_code(file: Path, key: str) -> None:
    measure = {"stable_rank": stable_rank, "entropy_erank": entropy_effective_rank}[key]
    with np.load(file) as arrays:
        stages = [name.removeprefix("act.") for name in arrays.files if name.startswith("act.")]
        for stage in stages:
            measured = measure(torch.from_numpy(arrays[f"act.{stage}"]))
            np.testing.assert_allclose(measured.numpy(), arrays[f"{key}.{stage}"], rtol=0, atol=1e-9, err_msg=stage)
    assert stages


def test_every_parity_file_is_there() -> None:
    assert len(PARITY) >= 8


# Invariances, range and order


@EXAMPLES
@given(matrix=matrices, exponent=st.integers(-100, 100), method=st.sampled_from(METHODS))
def test_measures_are_blind_to_scale(matrix: Tensor, exponent: int, method: SpectrumMethod) -> None:
    scaled = all_measures(matrix * -(2.0**exponent), method=method)
    for name, value in all_measures(matrix, method=method).items():
        torch.testing.assert_close(scaled[name], value, rtol=1e-9, atol=0)


@EXAMPLES
@given(matrix=matrices, seed=st.integers(0, 1000))
def test_measures_are_blind_to_rotation_and_transposition(matrix: Tensor, seed: int) -> None:
    rotation = torch.linalg.qr(random_matrix(seed, matrix.shape[0], matrix.shape[0])).Q
    for name, value in all_measures(matrix).items():
        torch.testing.assert_close(all_measures(rotation @ matrix)[name], value, rtol=1e-9, atol=0)
        torch.testing.assert_close(all_measures(matrix.mT)[name], value, rtol=1e-9, atol=0)


@EXAMPLES
@given(matrix=matrices)
def test_measures_lie_between_one_and_the_smaller_side(matrix: Tensor) -> None:
    for name, value in all_measures(matrix).items():
        assert 1 - 1e-12 <= float(value) <= min(matrix.shape) + 1e-9, name


@EXAMPLES
@given(matrix=matrices)
def test_measures_keep_their_order(matrix: Tensor) -> None:
    """Check the order that holds for every matrix; only these pairs of measures and their consequences are ordered.

    r = s/s_1 <= 1, so r^2 <= r: stable rank <= information abundance. sum s^4 <= s_1^2 sum s^2: stable rank <=
    participation ratio. exp(entropy) of p is at least 1/max p: information abundance <= entropy effective rank. Each
    is at most the number of positive singular values.
    """
    value = {name: float(tensor) for name, tensor in all_measures(matrix).items()}
    slack = 1 + 1e-9
    assert value["stable_rank"] <= value["information_abundance"] * slack
    assert value["stable_rank"] <= value["participation_ratio"] * slack
    assert value["information_abundance"] <= value["entropy_effective_rank"] * slack
    positive = float((torch.linalg.svdvals(matrix) > 0).sum())
    assert max(value["entropy_effective_rank"], value["participation_ratio"]) <= positive * slack


@EXAMPLES
@given(matrix=matrices)
def test_the_gram_form_is_as_good_as_its_docstring_says(matrix: Tensor) -> None:
    truth = all_measures(matrix)
    for name, value in all_measures(matrix, method="gram").items():
        limit = {"stable_rank": 1e-12, "participation_ratio": 1e-12, "information_abundance": 1e-6}.get(name, 1e-5)
        assert float(value) == pytest.approx(float(truth[name]), rel=limit), name


def test_the_gram_form_of_float32_is_as_good_as_its_singular_values() -> None:
    matrix = random_matrix(1, 26, 30, rank=9).float()
    truth = all_measures(matrix.double(), method="exact")
    for method in METHODS:
        for name, value in all_measures(matrix, method=method).items():
            if name != "numerical_rank":
                assert float(value) == pytest.approx(float(truth[name]), rel=2e-5), (method, name)
        assert float(numerical_rank(matrix, method=method)) == 9


# Zero, huge, tiny, not finite


@pytest.mark.parametrize("method", [*METHODS, "power"])
def test_a_zero_matrix_has_no_stable_rank(method: str) -> None:
    assert stable_rank(torch.zeros(3, 4), method=method).isnan()  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_zero_matrix_measures_nan_and_has_numerical_rank_zero(method: SpectrumMethod, dtype: torch.dtype) -> None:
    measured = all_measures(torch.zeros(3, 4, dtype=dtype), method=method)
    assert all(measured[name].isnan() for name in SMOOTH)
    assert float(measured["numerical_rank"]) == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_matrix_that_is_not_finite_measures_nan_and_leaves_its_neighbours_alone(
    method: SpectrumMethod, bad: float
) -> None:
    batch = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    spoiled = batch.clone()
    spoiled[1, 2, 3] = bad
    for name, value in all_measures(spoiled, method=method).items():
        assert value[1].isnan(), name
        torch.testing.assert_close(value[[0, 2]], all_measures(batch, method=method)[name][[0, 2]])
    assert stable_rank(spoiled, method="power").isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("method", [*METHODS, "power"])
@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_huge_and_tiny_float32_matrices_measure_as_any_other(method: str, scale: float) -> None:
    matrix = random_matrix(5, 6, 4).float()
    torch.testing.assert_close(
        stable_rank(matrix * scale, method=method),  # type: ignore[arg-type]
        stable_rank(matrix),
    )
    if method != "power":
        truth = all_measures(matrix)
        for name, value in all_measures(matrix * scale, method=method).items():  # type: ignore[arg-type]
            torch.testing.assert_close(value, truth[name], rtol=1e-5, atol=0)


# Batches, precision, gradients


@pytest.mark.parametrize("method", METHODS)
def test_leading_axes_are_kept_and_each_matrix_stands_alone(method: SpectrumMethod) -> None:
    batch = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    for name, value in all_measures(batch, method=method).items():
        assert value.shape == (2, 3)
        torch.testing.assert_close(value[1, 2], all_measures(batch[1, 2], method=method)[name])


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_batch_has_no_values(method: SpectrumMethod) -> None:
    assert {value.shape for value in all_measures(torch.zeros(0, 4, 5), method=method).values()} == {(0,)}


@pytest.mark.parametrize("method", METHODS)
def test_threads_change_nothing(method: SpectrumMethod) -> None:
    batch = torch.randn(700, 4, 5, generator=torch.Generator().manual_seed(0))
    for name, value in all_measures(batch.unflatten(0, (7, 100)), method=method).items():
        alone = torch.stack([all_measures(matrix, method=method)[name] for matrix in batch[::97]])
        torch.testing.assert_close(value.flatten()[::97], alone)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_floats_are_computed_in_float32(dtype: torch.dtype) -> None:
    matrix = random_matrix(2, 5, 6).to(dtype)
    for name, value in all_measures(matrix).items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, all_measures(matrix.float())[name])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_right(name: str, method: SpectrumMethod) -> None:
    matrix = torch.stack([random_matrix(seed, 3, 4) for seed in (1, 2)]).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: all_measures(given, method=method, names=[name])[name], [matrix])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_stay_finite_where_the_matrix_lacks_rank(name: str, method: SpectrumMethod) -> None:
    matrix = random_matrix(4, 4, 5, rank=2).requires_grad_()
    all_measures(matrix, method=method, names=[name])[name].backward()
    assert matrix.grad is not None
    assert matrix.grad.isfinite().all()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("method", METHODS)
def test_cuda_agrees_with_the_cpu(method: SpectrumMethod) -> None:
    batch = torch.stack([random_matrix(seed, 6, 7) for seed in range(9)])
    truth = all_measures(batch)
    for name, value in all_measures(batch.cuda(), method=method).items():
        torch.testing.assert_close(value.cpu(), truth[name], rtol=1e-5, atol=0)


# Names and bad input


def test_a_measure_is_found_by_its_plain_name() -> None:
    assert find_measure("participation_ratio").title == "participation ratio"
    assert [measure.name for measure in MEASURES.values()] == list(MEASURES)


def test_only_the_named_measures_are_computed() -> None:
    assert list(all_measures(torch.eye(3), names=["participation_ratio", "stable_rank"])) == [
        "participation_ratio",
        "stable_rank",
    ]


def test_an_unknown_measure_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"one of stable_rank, entropy_effective_rank, .* but 'erank' was given"):
        all_measures(torch.eye(2), names=["erank"])


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 3, 0)])
def test_what_is_no_matrix_is_an_error_with_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"but the shape {shape} was given")):
        stable_rank(torch.zeros(shape))


@pytest.mark.usefixtures("without_shape_checks")
def test_whole_numbers_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"floating-point numbers, but torch.int64 was given; try matrix.float\(\)"):
        stable_rank(torch.ones(2, 2, dtype=torch.int64))


def test_an_unknown_method_is_an_error() -> None:
    with pytest.raises(ValueError, match="""one of "exact", "gram", "power", but 'fast' was given"""):
        stable_rank(torch.eye(2), method="fast")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="""one of "exact", "gram", but 'power' was given"""):
        all_measures(torch.eye(2), method="power")  # type: ignore[arg-type]


@pytest.mark.parametrize("tolerance", [-0.1, 1.0, float("nan")])
def test_a_tolerance_outside_its_range_is_an_error(tolerance: float) -> None:
    with pytest.raises(ValueError, match="0 <= tolerance < 1"):
        numerical_rank(torch.eye(2), tolerance=tolerance)

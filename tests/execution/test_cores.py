import threading

import pytest
import torch
from tests.training.test_step import fresh_ranker

from rankelastor.execution.cores import (
    TINY_WORK,
    borrowed_cores,
    choose_num_threads,
    compute_threads,
    is_tiny_work,
    one_core,
    threads_in_use,
)
from rankelastor.native.crew import is_in_crew
from rankelastor.native.library import loaded_build
from rankelastor.usable_cores import UsableCores

TINY = 1e-40  # below fp32's normal range


def is_taken_as_zero() -> bool:
    return not bool(torch.full((1,), TINY, dtype=torch.float32) * 1.0)


def test_little_work_is_for_one_thread_and_much_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ranker = fresh_ranker()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert choose_num_threads(ranker, 10**9) == 4
    assert choose_num_threads(ranker, 10) == 1


def test_work_that_ends_before_another_core_has_started_is_tiny() -> None:
    ranker = fresh_ranker()
    enough = -(-TINY_WORK // ranker.num_dense_parameters)
    assert is_tiny_work(ranker, enough - 1)
    assert not is_tiny_work(ranker, enough)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_tiny_numbers_are_zero_inside_and_numbers_again_outside(num_threads: int) -> None:
    with compute_threads(num_threads) as threads:
        assert threads.submit(is_taken_as_zero).result()
        assert all(threads.map(lambda _: is_taken_as_zero(), range(3)))
    assert not is_taken_as_zero()


def test_one_thread_is_the_calling_one() -> None:
    with compute_threads(1) as threads:
        assert threads.submit(threading.get_ident).result() == threading.get_ident()


def test_a_failure_comes_out_with_the_result_and_leaves_numbers_as_they_were() -> None:
    with compute_threads(1) as threads:
        failed = threads.submit(lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            failed.result()
    assert not is_taken_as_zero()


def test_who_takes_tiny_numbers_as_zero_does_so_afterwards_too() -> None:
    torch.set_flush_denormal(True)
    torch.set_default_dtype(torch.float64)
    try:
        with compute_threads(1) as threads:
            threads.submit(int).result()
        assert is_taken_as_zero()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_flush_denormal(False)


def test_several_threads_have_a_core_each_and_the_rest_is_as_before() -> None:
    before = torch.get_num_threads()
    with compute_threads(2) as threads:
        assert set(threads.map(lambda _: torch.get_num_threads(), range(4))) == {1}
    assert torch.get_num_threads() == before


def test_one_core_inside_and_as_before_outside() -> None:
    with borrowed_cores(2):
        with one_core():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2


def test_one_core_has_a_helper_where_it_is_asked_for() -> None:
    with one_core(with_helper=True):
        build = loaded_build()
        assert is_in_crew() is (build is not None and build.products == "tiles")
    with one_core():
        assert not is_in_crew()


@pytest.mark.parametrize("num_threads", [None, 2])
@pytest.mark.parametrize("flushed", [False, True])
def test_borrowed_cores_are_given_back_after_an_error_too(num_threads: int | None, flushed: bool) -> None:
    before = torch.get_num_threads()
    torch.set_flush_denormal(flushed)
    try:
        with pytest.raises(ZeroDivisionError):
            _fail_with_other_cores(num_threads, flushed=not flushed)
        assert torch.get_num_threads() == before
        assert is_taken_as_zero() == flushed
    finally:
        torch.set_flush_denormal(False)


def _fail_with_other_cores(num_threads: int | None, *, flushed: bool) -> None:
    with borrowed_cores(num_threads):
        assert num_threads is None or torch.get_num_threads() == num_threads
        torch.set_num_threads(3)
        torch.set_flush_denormal(flushed)
        raise ZeroDivisionError


def test_a_quota_limits_the_threads_that_nobody_has_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rankelastor.execution.cores.usable_cores", lambda: UsableCores(1, "a quota", is_unseen=True))
    with borrowed_cores(2):
        with borrowed_cores(None):
            assert str(threads_in_use(None)) == "1 (a quota)"
        assert str(threads_in_use(2)) == "2 (training.threads)"
        assert str(threads_in_use(None)) == "2 (the number that PyTorch was given)"

import threading
import time
from collections.abc import Iterator

import pytest

from rankelastor.data.building.workers import Workers


def test_results_come_in_the_order_of_the_items_whoever_is_done_first() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item * 10

    with Workers(num_threads=4) as workers:
        assert list(workers.map(slow_first, range(20))) == [item * 10 for item in range(20)]


def test_only_a_few_items_are_begun_before_they_are_asked_for() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            begun.append(item)
            yield item

    with Workers(num_threads=2) as workers:
        results = workers.map(abs, items())
        assert next(results) == 0
        assert len(begun) <= 6


def test_the_first_failing_item_is_raised() -> None:
    def refuse(item: int) -> None:
        if item:
            raise ValueError(f"item {item}")

    with Workers(num_threads=4) as workers, pytest.raises(ValueError, match="item 1"):
        list(workers.map(refuse, range(50)))


def test_work_runs_beside_the_caller() -> None:
    go_on = threading.Event()
    with Workers(num_threads=1) as workers:
        waiting = workers.start(go_on.wait, 10.0)
        go_on.set()
        assert waiting.result()


def test_long_work_that_looks_at_stopped_does_not_hold_up_a_failure() -> None:
    def until_stopped(workers: Workers) -> None:
        assert workers.stopped.wait(10.0)

    def fail() -> None:
        with Workers(num_threads=1) as workers:
            workers.start(until_stopped, workers)
            raise KeyboardInterrupt

    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert time.perf_counter() - start < 5

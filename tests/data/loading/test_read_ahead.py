import threading
import time
from collections.abc import Iterator

import pytest

from rankelastor.data.loading.read_ahead import ReadAhead

DEPTHS = pytest.mark.parametrize("depth", [0, 1, 3])


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "read-ahead"]


def numbers(made: list[int], *, fail_at: int | None = None) -> Iterator[int]:
    for number in range(1000):
        if number == fail_at:
            raise OSError("the disk is gone")
        made.append(number)
        yield number


@DEPTHS
def test_items_come_in_order_and_prepared(depth: int) -> None:
    with ReadAhead(numbers([]), depth=depth, prepare=lambda number: -number) as items:
        assert list(items) == [-number for number in range(1000)]
        assert next(items, None) is None
    assert not threads()


def test_nothing_to_read_ends_at_once() -> None:
    with ReadAhead(iter(()), depth=2) as items:
        assert list(items) == []


@DEPTHS
def test_a_failure_is_raised_where_the_item_would_have_come(depth: int) -> None:
    with ReadAhead(numbers([], fail_at=5), depth=depth) as items:
        assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(OSError, match="the disk is gone"):
            next(items)
        assert next(items, None) is None
    assert not threads()


def test_a_failure_of_the_preparation_is_raised_too() -> None:
    with ReadAhead([1, 0], depth=2, prepare=lambda number: 1 // number) as items:
        assert next(items) == 1
        with pytest.raises(ZeroDivisionError):
            next(items)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_leaving_early_ends_the_thread(error: type[BaseException]) -> None:
    made: list[int] = []

    def use_one() -> None:
        with ReadAhead(numbers(made), depth=2) as items:
            assert next(items) == 0
            assert threads()
            raise error

    with pytest.raises(error):
        use_one()
    assert not threads()
    assert len(made) <= 5


def test_leaving_before_the_first_item_ends_the_thread() -> None:
    with ReadAhead(numbers([]), depth=1):
        pass
    assert not threads()


def test_no_more_than_the_depth_is_made_ahead() -> None:
    made: list[int] = []
    with ReadAhead(numbers(made), depth=3) as items:
        next(items)
        deadline = time.monotonic() + 5
        while len(made) < 5 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.05)
        # one in use, three in the queue, one that waits for room
        assert len(made) == 5


@DEPTHS
def test_waiting_is_measured(depth: int) -> None:
    def slow() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.05)
            yield number

    with ReadAhead(slow(), depth=depth) as items:
        assert items.waited_seconds == 0
        assert list(items) == [0, 1, 2]
        assert items.waited_seconds > 0.1


def test_items_that_are_ready_are_not_waited_for() -> None:
    def slow() -> Iterator[int]:
        for number in range(2):
            time.sleep(0.1)
            yield number

    with ReadAhead(slow(), depth=2) as items:
        next(items)
        before = items.waited_seconds
        time.sleep(0.5)
        next(items)
        assert items.waited_seconds - before < 0.1

"""Tests that a queue refuses what would not fit or would wait too long, before it is read."""

import pytest

from rankelastor.service.limits import Limits
from rankelastor.service.queue import Queue
from rankelastor.service.refusals import Refusal


def test_rows_beyond_the_limit_are_refused_and_leaving_gives_the_places_back() -> None:
    queue = Queue(Limits(queue_rows=10))
    with queue.place(0) as first:
        first.holds(8)
        with queue.place(0) as second, pytest.raises(Refusal, match="holds 8 of at most 10 rows") as found:
            second.holds(3)
        assert (found.value.status, found.value.headers["Retry-After"]) == (429, "1")
        assert queue.num_rows == 8
    assert queue.num_rows == 0


def test_requests_beyond_the_limit_are_refused_however_few_rows_they_have() -> None:
    queue = Queue(Limits(queue_requests=2))
    with queue.place(0), queue.place(0), pytest.raises(Refusal, match="at most 2 requests") as found:
        queue.place(0)
    assert found.value.status == 429
    with queue.place(0):
        assert queue.num_rows == 1


def test_an_empty_queue_takes_a_request_of_any_size() -> None:
    queue = Queue(Limits(queue_rows=10))
    with queue.place(0) as place:
        place.holds(50)
        assert queue.num_rows == 50


def test_a_body_is_expected_to_hold_as_many_rows_as_others_of_its_size() -> None:
    queue = Queue(Limits(queue_rows=100))
    with queue.place(1000) as place:
        place.holds(60)
        with pytest.raises(Refusal, match="about 60"):
            queue.place(1000)
        assert queue.num_rows == 60


def test_what_would_wait_longer_than_allowed_is_refused_at_once_and_told_when_to_come_again() -> None:
    queue = Queue(Limits(seconds=2))
    queue.scored(1, 1.0)  # one row says nothing of full batches
    with queue.place(0) as place:
        place.holds(1000)
        with queue.place(0) as other:
            other.holds(100)
    queue.scored(1000, 4.0)
    with queue.place(0) as place:
        place.holds(1000)
        with pytest.raises(Refusal, match=r"within 2 s, but would take about 4\.0 s") as found:
            queue.place(0)
        assert (found.value.status, found.value.headers["Retry-After"]) == (503, "3")


def test_bytes_of_bodies_beyond_the_limit_are_refused_and_leaving_gives_them_back() -> None:
    queue = Queue(Limits(queue_bytes=100))
    with queue.place(0) as first, queue.place(0) as second:
        first.receives(60)
        first.receives(30)
        with pytest.raises(Refusal, match="holds 90 of at most 100 bytes") as found:
            second.receives(20)
        assert found.value.status == 429
        second.receives(10)
    assert queue.num_bytes == 0


def test_rows_that_are_scored_besides_say_nothing_of_the_bodies_of_others() -> None:
    queue = Queue(Limits(queue_rows=100))
    with queue.place(10) as explaining:
        explaining.holds(1)
        explaining.computes(90)
        with queue.place(10) as other:
            assert queue.num_rows == 91
            with pytest.raises(Refusal, match="holds 90 of at most 100 rows"):
                other.computes(11)
    assert queue.num_rows == 0

"""Progress in a pipe, on a clock that the tests turn."""

import time

import pytest

from rankelastor.cli import plain_progress
from rankelastor.cli.plain_progress import PlainLines


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lines_after(seconds: float, lines: PlainLines, clock: Clock) -> None:
    """Let the time pass in half seconds, as the thread sees it."""
    end = clock.now + seconds
    while clock.now < end:
        clock.now += 0.5
        lines.tick()


def test_short_work_says_nothing(clock: Clock) -> None:
    written: list[str] = []
    lines = PlainLines(written.append, clock=clock)
    lines.begin("reading", total=10, unit="rows")
    lines.advance(10)
    lines_after(4.5, lines, clock)
    lines.end()
    assert written == []


def test_a_line_tells_share_amount_pace_figures_and_time_left(clock: Clock) -> None:
    written: list[str] = []
    lines = PlainLines(written.append, clock=clock)
    lines.begin("epoch 1/3", total=4000, unit="examples")
    lines.advance(1000, step=1234, loss=0.5)
    lines_after(5, lines, clock)
    assert written == [
        "epoch 1/3  25 %  1,000 of 4,000 examples  200 examples/s  step 1,234  loss 0.5  15.0 s left",
    ]


def test_bytes_are_shown_in_megabytes_and_an_unknown_total_without_a_share(clock: Clock) -> None:
    written: list[str] = []
    lines = PlainLines(written.append, clock=clock)
    lines.begin("download", total=0, unit="bytes")
    lines.advance(10 << 20)
    lines_after(5, lines, clock)
    assert written == ["download  10.0 MB  2.0 MB/s"]


def test_there_is_a_line_in_every_minute_whatever_the_work_reports(clock: Clock) -> None:
    times: list[float] = []
    lines = PlainLines(lambda _: times.append(clock.now), clock=clock)
    lines_after(100, lines, clock)
    lines.begin("fitting", total=5, unit="rows")
    lines_after(100, lines, clock)
    lines.end()
    lines_after(100, lines, clock)
    gaps = [later - earlier for earlier, later in zip([100.0, *times], [*times, clock.now], strict=True)]
    assert max(gaps) <= 30


def test_a_stage_that_was_spoken_of_has_a_last_line(clock: Clock) -> None:
    written: list[str] = []
    lines = PlainLines(written.append, clock=clock)
    lines.begin("reading", total=300, unit="rows")
    lines.advance(300)
    lines_after(70, lines, clock)
    lines.begin("writing", total=300, unit="rows")
    assert written[-1] == "reading  done: 300 rows in 1:10"
    lines.end()
    assert written[-1] == "reading  done: 300 rows in 1:10"


def test_a_thread_of_its_own_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_progress, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(plain_progress, "_TICK_SECONDS", 0.01)
    written: list[str] = []
    with PlainLines(written.append):
        deadline = time.monotonic() + 10
        while not written and time.monotonic() < deadline:
            time.sleep(0.01)
    assert written[0].startswith("working, ")

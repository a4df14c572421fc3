"""A request to stop is heard, whenever it comes."""

import pytest

from rankelastor.training.interruption import Interruption


def test_a_request_within_a_step_waits_for_its_end() -> None:
    interruption, done = Interruption(), []

    def step() -> None:
        with interruption.whole():
            interruption.request(KeyboardInterrupt())
            done.append("step")

    with pytest.raises(KeyboardInterrupt):
        step()
    assert done == ["step"]
    assert not interruption.is_inside


def test_a_request_between_steps_is_raised_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        Interruption().request(KeyboardInterrupt())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_request_that_went_nowhere_is_raised_before_the_next_step() -> None:
    interruption, done = Interruption(), []

    class Asking:
        def __del__(self) -> None:
            interruption.request(KeyboardInterrupt())  # Python prints errors that come out of here, and goes on

    asking = Asking()
    del asking
    with pytest.raises(KeyboardInterrupt), interruption.whole():
        done.append("step")
    assert done == []
    with interruption.whole():
        done.append("step")
    assert done == ["step"]

import pytest

from rankelastor.training.side_by_side import counted_training


def test_trainings_side_by_side_are_told_that_they_cannot_be_repeated(caplog: pytest.LogCaptureFixture) -> None:
    with counted_training():
        assert not caplog.messages
        with counted_training():
            assert "neither can be repeated number by number" in caplog.text
    caplog.clear()
    with counted_training():
        assert not caplog.messages

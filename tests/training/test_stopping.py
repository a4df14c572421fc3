import pytest

from rankelastor.config.stopping import StoppingSettings
from rankelastor.training.stopping import Plateau, Verdict


def judge(
    settings: StoppingSettings, values: list[float], *, monitor: str = "auc", learning_rate: float = 1e-3
) -> list[Verdict]:
    plateau = Plateau(settings, learning_rate=learning_rate)
    return [plateau.judge({monitor: value}) for value in values]


def test_an_evaluation_that_does_not_improve_drops_the_rate_and_two_in_a_row_stop() -> None:
    verdicts = judge(StoppingSettings(), [0.7, 0.6, 0.8, 0.8, 0.79])
    assert [v.improved for v in verdicts] == [True, False, True, False, False]
    assert [v.stop for v in verdicts] == [False, False, False, False, True]
    assert [v.learning_rate for v in verdicts] == pytest.approx([1e-3, 1e-4, 1e-4, 1e-5, 1e-6])


def test_an_improvement_must_exceed_the_smallest_that_counts() -> None:
    verdicts = judge(StoppingSettings(), [0.7, 0.7 + 0.9e-6, 0.7 + 1.1e-6])
    assert [v.improved for v in verdicts] == [True, False, True]


def test_the_rate_does_not_fall_below_its_floor() -> None:
    verdicts = judge(StoppingSettings(patience=9), [0.7] * 4, learning_rate=1e-5)
    assert [v.learning_rate for v in verdicts] == pytest.approx([1e-5, 1e-6, 1e-6, 1e-6])


def test_a_rate_below_the_floor_is_never_raised() -> None:
    assert judge(StoppingSettings(patience=9), [0.7, 0.6], learning_rate=1e-7)[-1].learning_rate == 1e-7


def test_logloss_improves_downwards() -> None:
    verdicts = judge(StoppingSettings(monitor="logloss"), [0.5, 0.4, 0.45], monitor="logloss")
    assert [v.improved for v in verdicts] == [True, True, False]


def test_a_monitor_that_is_missing_never_improves() -> None:
    assert not judge(StoppingSettings(monitor="gauc"), [0.7])[0].improved

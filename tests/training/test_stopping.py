import pytest

from rankelastor.config.training import TrainingSettings
from rankelastor.training.stopping import Plateau, Verdict


def judge(settings: TrainingSettings, values: list[float], monitor: str = "auc") -> list[Verdict]:
    plateau = Plateau(settings)
    return [plateau.judge({monitor: value}) for value in values]


def test_an_evaluation_that_does_not_improve_drops_the_rate_and_two_in_a_row_stop() -> None:
    verdicts = judge(TrainingSettings(learning_rate=1e-3), [0.7, 0.6, 0.8, 0.8, 0.79])
    assert [v.improved for v in verdicts] == [True, False, True, False, False]
    assert [v.stop for v in verdicts] == [False, False, False, False, True]
    assert [v.learning_rate for v in verdicts] == pytest.approx([1e-3, 1e-4, 1e-4, 1e-5, 1e-6])


def test_an_improvement_must_exceed_the_smallest_that_counts() -> None:
    verdicts = judge(TrainingSettings(), [0.7, 0.7 + 0.9e-6, 0.7 + 1.1e-6])
    assert [v.improved for v in verdicts] == [True, False, True]


def test_the_rate_does_not_fall_below_its_floor() -> None:
    settings = TrainingSettings(learning_rate=1e-5, patience=9)
    assert [v.learning_rate for v in judge(settings, [0.7] * 4)] == pytest.approx([1e-5, 1e-6, 1e-6, 1e-6])


def test_a_rate_below_the_floor_is_never_raised() -> None:
    settings = TrainingSettings(learning_rate=1e-7, patience=9)
    assert judge(settings, [0.7, 0.6])[-1].learning_rate == 1e-7


def test_logloss_improves_downwards() -> None:
    verdicts = judge(TrainingSettings(monitor="logloss"), [0.5, 0.4, 0.45], monitor="logloss")
    assert [v.improved for v in verdicts] == [True, True, False]


def test_a_monitor_that_is_missing_never_improves() -> None:
    assert not judge(TrainingSettings(monitor="gauc"), [0.7])[0].improved

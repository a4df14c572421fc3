import pytest

from rankelastor.config.stopping import StoppingSettings
from rankelastor.metrics.metric import Metric
from rankelastor.metrics.table import METRICS
from rankelastor.training.stopping import Plateau, PlateauDecision


def judge(
    settings: StoppingSettings, values: list[float], *, monitor: str = "auc", learning_rate: float = 1e-3
) -> list[PlateauDecision]:
    plateau = Plateau(settings, learning_rate=learning_rate)
    return [plateau.judge({monitor: value}) for value in values]


def test_an_evaluation_that_does_not_improve_drops_the_rate_and_two_in_a_row_stop() -> None:
    decisions = judge(StoppingSettings(), [0.7, 0.6, 0.8, 0.8, 0.79])
    assert [d.improved for d in decisions] == [True, False, True, False, False]
    assert [d.stop for d in decisions] == [False, False, False, False, True]
    assert [d.learning_rate for d in decisions] == pytest.approx([1e-3, 1e-4, 1e-4, 1e-5, 1e-6])


def test_an_improvement_must_exceed_the_smallest_that_counts() -> None:
    decisions = judge(StoppingSettings(), [0.7, 0.7 + 0.9e-6, 0.7 + 1.1e-6])
    assert [d.improved for d in decisions] == [True, False, True]


def test_the_rate_does_not_fall_below_its_floor() -> None:
    decisions = judge(StoppingSettings(patience=9), [0.7] * 4, learning_rate=1e-5)
    assert [d.learning_rate for d in decisions] == pytest.approx([1e-5, 1e-6, 1e-6, 1e-6])


def test_a_rate_below_the_floor_is_never_raised() -> None:
    assert judge(StoppingSettings(patience=9), [0.7, 0.6], learning_rate=1e-7)[-1].learning_rate == 1e-7


def test_logloss_improves_downwards() -> None:
    decisions = judge(StoppingSettings(monitor="logloss"), [0.5, 0.4, 0.45], monitor="logloss")
    assert [d.improved for d in decisions] == [True, True, False]


def test_a_monitor_that_is_missing_never_improves() -> None:
    assert not judge(StoppingSettings(monitor="gauc"), [0.7])[0].improved


def plateau_of(monitor: str) -> Plateau:
    settings = StoppingSettings(monitor=monitor, min_delta=0, rate_drop=0.1, min_learning_rate=0, patience=2)
    return Plateau(settings, learning_rate=0.1)


@pytest.mark.parametrize(
    ("monitor", "improves"),
    [("auc", True), ("gauc", True), ("logloss", False), ("expected_calibration_error", False), ("like.logloss", False)],
)
def test_the_table_says_which_direction_is_better(monitor: str, improves: bool) -> None:
    metric = monitor.rpartition(".")[2]
    plateau = plateau_of(monitor)
    first, second = ({metric: value, "tasks": {"like": {metric: value}}} for value in (0.4, 0.5))
    assert plateau.judge(first).improved
    assert plateau.judge(second).improved is improves


def test_a_new_row_of_the_table_can_be_the_monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    brier = Metric("brier", "Brier score", higher_is_better=False, needs_group=False, function=lambda *_, **__: 0.0)
    monkeypatch.setitem(METRICS, "brier", brier)
    plateau = plateau_of("brier")
    assert [plateau.judge({"brier": value}).improved for value in (0.2, 0.1, 0.15)] == [True, True, False]


def test_the_monitor_of_one_task_ignores_the_others_and_their_mean() -> None:
    plateau = plateau_of("like.auc")
    rising = {"auc": 0.6, "tasks": {"click": {"auc": 0.9}, "like": {"auc": 0.3}}}
    falling = {"auc": 0.5, "tasks": {"click": {"auc": 0.6}, "like": {"auc": 0.4}}}
    assert [plateau.judge(metrics).improved for metrics in (rising, falling)] == [True, True]


def test_a_metric_without_a_better_direction_cannot_be_the_monitor() -> None:
    with pytest.raises(ValueError, match=r"must be METRIC or TASK\.METRIC"):
        plateau_of("calibration_ratio")


def test_a_weighted_sum_may_improve_while_one_of_its_metrics_falls() -> None:
    plateau = Plateau(StoppingSettings(monitor={"auc": 1.0, "logloss": -1.0}), learning_rate=0.1)
    assert plateau.judge({"auc": 0.70, "logloss": 0.50}).improved
    assert plateau.judge({"auc": 0.69, "logloss": 0.40}).improved
    assert not plateau.judge({"auc": 0.75, "logloss": 0.50}).improved
    assert not plateau.judge({"auc": 0.99}).improved, "a sum without one of its metrics is not defined"

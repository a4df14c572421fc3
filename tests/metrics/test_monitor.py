import pytest

from rankelastor.errors import SettingsError
from rankelastor.metrics.monitor import check_monitor, monitor_names, monitored_metric


def test_metrics_without_a_better_direction_are_no_monitors() -> None:
    assert {"calibration_ratio", "num_examples"}.isdisjoint(monitor_names(["click", "like"]))


def test_one_task_needs_no_name() -> None:
    assert monitor_names(["click"]) == monitor_names()
    check_monitor("auc", tasks=["click"], has_group=False)


def test_a_task_may_have_a_dot_in_its_name() -> None:
    check_monitor("video.like.auc", tasks=["video.like", "click"], has_group=False)
    assert monitored_metric("video.like.auc").name == "auc"


@pytest.mark.parametrize("monitor", ["hit", "share.auc", "like.hit", "like.", ""])
def test_an_unknown_monitor_is_an_error_that_lists_the_known_ones(monitor: str) -> None:
    with pytest.raises(SettingsError, match=rf"must be one of \['auc', .*'like.auc'.*, but '{monitor}' was given"):
        check_monitor(monitor, tasks=["click", "like"], has_group=True)


@pytest.mark.parametrize("monitor", ["gauc", "like.gauc"])
def test_a_grouped_monitor_needs_groups(monitor: str) -> None:
    check_monitor(monitor, tasks=["click", "like"], has_group=True)
    with pytest.raises(SettingsError, match=rf"but {monitor} was given and data.fields has no group; add"):
        check_monitor(monitor, tasks=["click", "like"], has_group=False)


def test_a_weighted_sum_is_defined_where_each_of_its_metrics_is() -> None:
    check_monitor({"auc": 1.0, "like.logloss": -0.5}, tasks=["click", "like"], has_group=False)
    with pytest.raises(SettingsError, match=r"but gauc was given and data\.fields has no group"):
        check_monitor({"auc": 1.0, "gauc": 1.0}, tasks=["click"], has_group=False)
    with pytest.raises(SettingsError, match=r"must be one of .* but 'hit' was given"):
        check_monitor({"hit": 1.0}, tasks=["click"], has_group=False)


@pytest.mark.parametrize(
    ("name", "weight", "better"), [("auc", -1.0, "above"), ("logloss", 1.0, "below"), ("auc", 0.0, "above")]
)
def test_a_weight_in_the_worse_direction_is_an_error(name: str, weight: float, better: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"training\.monitor\.{name} must be {better} 0, .* but {weight} was given"
    ):
        check_monitor({name: weight}, tasks=["click"], has_group=False)

"""Tests that results are read as they were written, also those of version 0.1.0."""

import json
from dataclasses import replace
from typing import Any

import pytest

from rankelastor.errors import RunError
from rankelastor.models.cost import Cost
from rankelastor.runs.result import RunResult, Speed, UnseenFigures, read_result

RESULT = RunResult(
    recipe="tiny",
    model="rankelastor",
    seed=3,
    metrics={"valid": {"auc": 0.75, "num_examples": 10}, "test": {"auc": 0.5, "num_examples": 8}},
    unseen={
        "valid": UnseenFigures(0, 0.0, {"site": 0.0}, ()),
        "test": UnseenFigures(2, 0.25, {"site": 0.25}, ("user",), auc=1.0),
    },
    cost=Cost(1, 2, 3, 4),
    best_epoch=2,
    epochs=4,
    steps=12,
    examples_per_second=100.5,
    data_wait_share=0.25,
    compiled=False,
    precision="fp32",
    speed=Speed(10, 100, 0.1, peak_memory_bytes=1000),
    seconds=1.5,
    executor="kernels",
)
LINE_OF_0_1_0 = {name: value for name, value in RESULT.as_dict().items() if name != "executor"}


def read(values: object) -> RunResult:
    return read_result(json.dumps(values), source="result.json")


def test_a_result_reads_back_as_it_was_written() -> None:
    assert read(RESULT.as_dict()) == RESULT


def test_a_result_reads_back_where_no_task_has_a_row_with_an_unseen_value() -> None:
    none = {task: {"left_out": {"auc": "there are no rows"}} for task in ("click", "buy")}
    result = replace(RESULT, unseen={"valid": UnseenFigures(0, 0.0, {"site": 0.0}, (), tasks=none)})
    assert read(result.as_dict()) == result


def test_a_result_is_shown_in_one_line_with_its_auc() -> None:
    assert repr(RESULT) == (
        "RunResult('tiny', seed 3, rankelastor, valid AUC 0.750000, test AUC 0.500000, best epoch 2 of 4, 1.5 s)"
    )


def test_splits_stand_under_their_names_and_what_is_not_known_is_left_out() -> None:
    values = RESULT.as_dict()
    assert values["test"] == {"auc": 0.5, "num_examples": 8}
    assert "auc" not in values["unseen"]["valid"]
    assert "peak_device_memory_bytes" not in values["speed"]
    assert "metrics" not in values


def test_a_result_of_version_0_1_0_has_no_executor() -> None:
    assert read(LINE_OF_0_1_0) == replace(RESULT, executor=None)


def test_whole_numbers_stay_whole() -> None:
    found = read(RESULT.as_dict()).test
    assert [type(value) for value in found.values()] == [float, int]


def test_a_run_without_a_test_split_says_so() -> None:
    without = replace(RESULT, metrics={"valid": RESULT.valid})
    with pytest.raises(RunError, match="the data of tiny must have a test split, but have none"):
        without.test  # noqa: B018
    assert read(without.as_dict()) == without


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": "long"}, "result.json must hold the result of a run, but seconds: input should be a valid number"),
        ({"cost": {"dense_parameters": 1}}, "but cost.embedding_parameters: "),
        ({"executor": "gpu"}, "but executor: input should be 'eager', 'kernels', 'compiled' or 'recorded'"),
    ],
)
def test_a_wrong_value_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RunError, match=message):
        read(RESULT.as_dict() | change)


def test_what_is_no_result_is_refused() -> None:
    without_valid = {name: value for name, value in RESULT.as_dict().items() if name != "valid"}
    with pytest.raises(RunError, match="but valid: field required"):
        read(without_valid)
    with pytest.raises(RunError, match="must hold a JSON mapping"):
        read([1, 2])
    with pytest.raises(RunError, match="must hold a JSON mapping"):
        read_result("{", source="result.json")

import numpy as np
import pytest

from rankelastor.data_report.counts import IdCounts
from rankelastor.data_report.notices import label_notices, leak_notices


def labels(num_rows: int, num_clicks: int) -> IdCounts:
    counts = IdCounts(2)
    clicked = np.arange(num_rows) < num_clicks
    counts.add(clicked.astype(np.int32), clicked)
    return counts


# Train has 20 % of 10,000. With 10,000 rows in test the standard error is .0057 at 20 %, so z = 3 is near 21.7 %;
# with a million rows in both it is .00057: z = 3 is near 20.2 %, and the relative change decides (21 %).
@pytest.mark.parametrize(
    ("num_train", "num_test", "rate", "moves"),
    [
        (10_000, 10_000, 0.215, False),
        (10_000, 10_000, 0.219, True),
        (10_000, 10_000, 0.181, True),
        (10_000, 100, 0.28, False),
        (10_000, 100, 0.36, True),
        (1_000_000, 1_000_000, 0.209, False),
        (1_000_000, 1_000_000, 0.211, True),
    ],
)
def test_a_label_rate_moves_beyond_noise_and_by_five_percent_of_itself(
    num_train: int, num_test: int, rate: float, moves: bool
) -> None:
    splits = {"train": labels(num_train, num_train // 5), "test": labels(num_test, round(num_test * rate))}
    found = list(label_notices(splits))
    assert [(notice.rule, notice.about) for notice in found] == ([("label_moves", ("test",))] if moves else [])
    assert all("from 20.00 % in train to" in notice.message for notice in found)


def test_a_split_of_one_label_is_noticed() -> None:
    splits = {"train": labels(10, 5), "valid": labels(10, 0), "test": labels(10, 10)}
    about = [notice.about for notice in label_notices(splits) if notice.rule == "one_label"]
    assert about == [("valid",), ("test",)]


def test_a_leak_ranks_above_the_bound() -> None:
    found = leak_notices({"a": 0.981, "b": 0.98, "c": None}, "valid", labels(100, 50))
    assert [notice.about for notice in found] == [("a",)]


def test_a_handful_of_rows_tells_no_leak() -> None:
    assert not list(leak_notices({"a": 1.0}, "valid", labels(100, 9)))

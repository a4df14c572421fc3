from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.loading.groups_together import GroupsTogether


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 3))
def test_an_epoch_has_every_row_once_and_each_group_in_one_piece(groups: list[int], epoch: int) -> None:
    _, group = np.unique(groups, return_inverse=True)
    rows = GroupsTogether(group.astype(np.int64), int(group.max()) + 1).order(seed=1, epoch=epoch).rows(0, len(group))
    assert sorted(rows.tolist()) == list(range(len(group)))
    assert (np.diff(group[rows]) != 0).sum() == group.max()


def test_epochs_differ_in_the_order_of_groups_and_of_rows() -> None:
    groups = GroupsTogether(np.repeat(np.arange(10), 10), 10)
    first, second = (groups.order(seed=1, epoch=epoch).rows(0, 100) for epoch in (1, 2))
    assert (first // 10 != second // 10).any()
    assert first[:10].tolist() != sorted(first[:10].tolist())
    assert first.tolist() == groups.order(seed=1, epoch=1).rows(0, 100).tolist()

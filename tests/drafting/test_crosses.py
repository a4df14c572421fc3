"""Pairs of columns that are worth a field of their own."""

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from rankelastor.drafting.crosses import find_crosses
from rankelastor.drafting.infer import infer
from rankelastor.drafting.profile import profile_table

ROWS = 6_000
Ints = NDArray[np.int64]


@pytest.fixture
def columns() -> dict[str, Ints]:
    rng = np.random.default_rng(3)
    return {name: rng.integers(size, size=ROWS) for name, size in {"user": 40, "item": 30, "hour": 24}.items()}


def drawn(log_odds: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.random.default_rng(5).random(ROWS) < 1 / (1 + np.exp(-log_odds))


def taste(columns: dict[str, Ints], *, strength: float = 2.0) -> NDArray[np.float64]:
    """What a user thinks of an item, which neither tells alone."""
    table = np.random.default_rng(4).normal(size=(40, 30))
    return strength * table[columns["user"], columns["item"]]


def found(columns: dict[str, Ints], label: NDArray[np.bool_]) -> list[tuple[str, str]]:
    return [(cross.column, cross.other) for cross in find_crosses(profile_table(pa.table(columns)), label)]


def test_a_planted_pair_is_found_and_no_other(columns: dict[str, Ints]) -> None:
    assert found(columns, drawn(taste(columns))) == [("user", "item")]


def test_effects_that_add_up_and_noise_need_no_pair(columns: dict[str, Ints]) -> None:
    each = np.random.default_rng(6).normal(size=(3, 40))
    added = sum(2 * each[place, values] for place, values in enumerate(columns.values()))
    assert found(columns, drawn(np.asarray(added))) == []
    assert found(columns, drawn(np.zeros(ROWS))) == []


def test_a_pair_that_says_what_a_chosen_one_says_is_not_chosen(columns: dict[str, Ints]) -> None:
    twin = columns | {"user_name": columns["user"] + 1000}
    assert len(found(twin, drawn(taste(columns)))) == 1


def test_pairs_that_never_come_again_are_not_learned(columns: dict[str, Ints]) -> None:
    session = np.arange(ROWS) // 2
    pairs = columns | {"session": session}
    label = drawn(3 * np.where(session % 2, 1.0, -1.0) * np.where(columns["item"] % 2, 1.0, -1.0))
    assert ("item", "session") not in found(pairs, label)


def test_what_holds_for_a_while_only_is_not_chosen(columns: dict[str, Ints]) -> None:
    """Each tenth of the rows is predicted from the others, so a taste of one tenth is worth nothing."""
    tables = np.random.default_rng(7).normal(size=(10, 40, 30))
    tenth = np.arange(ROWS) * 10 // ROWS
    assert found(columns, drawn(2 * tables[tenth, columns["user"], columns["item"]])) == []


def test_a_label_with_one_value_has_no_pairs(columns: dict[str, Ints]) -> None:
    assert found(columns, np.ones(ROWS, dtype=bool)) == []


def test_a_draft_has_a_crossed_field_and_says_why(columns: dict[str, Ints]) -> None:
    log = columns | {"click": drawn(taste(columns)).astype(int), "user_x_item": columns["hour"] % 3}
    draft = infer(pa.table(log))
    user = next(column for column in draft.columns if column.column == "user")
    assert user.kinds.startswith("categorical, crossed")
    assert user.reason.startswith("40 different numbers only; the pair with item tells more than both do alone")
    assert [field.name for field in user.fields[1:2]] == ["user_crossed_with_item"]


def test_the_labels_of_valid_and_test_are_not_looked_at(columns: dict[str, Ints]) -> None:
    label = drawn(taste(columns))
    day = np.array([f"2026-01-{1 + 28 * row // ROWS:02d}" for row in range(ROWS)])
    late = day > "2026-01-23"
    others = [np.where(late, np.random.default_rng(seed).random(ROWS) < 0.5, label) for seed in (1, 2)]
    drafts = [infer(pa.table(columns | {"day": day, "click": clicks.astype(int)})) for clicks in (label, *others)]
    assert len({tuple(map(str, draft.fields)) for draft in drafts}) == 1
    assert any(field.kind == "crossed" for field in drafts[0].fields)

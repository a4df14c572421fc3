"""What is inferred from tables, column by column."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest

import rankelastor
from rankelastor.data.kinds.calendar import CalendarField
from rankelastor.data.kinds.sequence import SequenceField
from rankelastor.drafting.draft import ColumnChoice, Draft
from rankelastor.drafting.infer import infer
from rankelastor.errors import DataError

ROWS = 2000


def table(**columns: Sequence[object]) -> pa.Table:
    rng = random.Random(1)
    return pa.table({"click": [rng.randrange(2) for _ in range(ROWS)], **columns})


def drawn(values: Sequence[object], *, seed: int = 2) -> list[object]:
    rng = random.Random(seed)
    return [rng.choice(values) for _ in range(ROWS)]


def choice(draft: Draft, column: str) -> ColumnChoice:
    return next(each for each in draft.columns if each.column == column)


def kind_of(column: Sequence[object], *, name: str = "x") -> tuple[str, str]:
    found = choice(infer(table(**{name: column, "site": drawn(["a", "b"], seed=9)})), name)
    return found.kinds, found.reason


def test_infer_is_public() -> None:
    assert rankelastor.infer is infer


def test_few_values_are_categorical() -> None:
    assert kind_of(drawn(["red", "green"])) == ("categorical", "2 different texts")
    assert kind_of(drawn(["1", "2", "3"])) == ("categorical", "3 different numbers only")
    assert kind_of(drawn([True, False])) == ("categorical", "2 different values")


def test_amounts_get_buckets_where_rows_suffice_and_a_transform_where_not() -> None:
    amounts: list[object] = [f"{value:.3f}" for value in random.Random(3).choices(range(1, 10**6), k=ROWS)]
    assert kind_of(amounts)[0] == "quantile"
    small = infer(pl.DataFrame({"click": [0, 1] * 50, "price": [1.01**index for index in range(100)]}))
    assert (
        choice(small, "price").fields[0].model_dump()["transform"] == "log" or choice(small, "price").kinds == "numeric"
    )


def test_numbers_that_name_things_are_categorical_and_counts_are_not() -> None:
    rng = random.Random(4)
    ids: list[object] = [rng.randrange(10_000, 11_500) for _ in range(ROWS)]
    assert kind_of(ids, name="campaignId")[0] == "categorical"
    assert kind_of(ids, name="C14")[0] == "quantile"
    counts: list[object] = [int(rng.expovariate(0.02)) for _ in range(ROWS)]
    assert kind_of(counts, name="views")[0] == "quantile"
    assert kind_of([rng.randrange(5000) for _ in range(ROWS)], name="item_price")[0] == "quantile"
    beyond: list[object] = [str(2**64 - rng.randrange(300)) for _ in range(ROWS)]
    assert kind_of(beyond, name="h")[0] == "categorical"


def test_what_tells_nothing_is_left_out_with_the_reason() -> None:
    every_row = "different in every row, so nothing can be learned from it"
    assert kind_of([f"r{index:x}" for index in range(ROWS)]) == ("left out", every_row)
    assert kind_of(list(range(ROWS)), name="n") == ("left out", every_row)
    assert kind_of(["DE"] * ROWS) == ("left out", "the same value in every row: 'DE'")
    assert kind_of([""] * ROWS) == ("left out", "every cell is blank")
    assert kind_of([b"ab"] * ROWS)[1] == "no field reads the type binary"
    assert kind_of([{"a": 1}] * ROWS)[1].startswith("no field reads the type struct")


def test_a_column_that_gives_the_label_away_is_left_out() -> None:
    labels = table().column("click").to_pylist()
    twin: list[object] = ["bought" if label else "seen" for label in labels]
    seconds: list[object] = [f"{3.5 + index % 97 if label else -index % 89}" for index, label in enumerate(labels)]
    assert kind_of(twin)[1] == "it gives the label away: each of its values stands beside one label only"
    assert kind_of(["" if label else f"t{index}" for index, label in enumerate(labels)])[0] == "left out"
    assert kind_of(seconds, name="watched")[0] == "quantile"
    assert kind_of([100 + label * 1000 + index % 97 for index, label in enumerate(labels)], name="w")[1] == (
        "it gives the label away: its numbers beside one label all lie above those beside the other"
    )


def test_words_for_a_blank_among_numbers_become_blanks() -> None:
    values: list[object] = [f"{index * 7919 % 1999}.25" for index in range(ROWS - 2)]
    draft = infer(table(price=[*values, "NA", "NA"], site=drawn(["NA", "b"])))
    assert draft.blanks.value == ("NA",)
    assert draft.blanks.reason == "stands among numbers in price"
    assert kind_of([*values, "NA", "cheap"])[0] != "quantile"


@pytest.mark.parametrize(
    ("cells", "name", "written"),
    [
        (lambda moment: moment.isoformat()[:19], "x", "iso"),
        (lambda moment: moment.strftime("%Y-%m-%d %H:%M"), "x", "iso"),
        (lambda moment: moment.strftime("%y%m%d%H"), "hour", "yymmddhh"),
        (lambda moment: int(moment.timestamp()), "x", "epoch_seconds"),
        (lambda moment: moment, "x", "iso"),
    ],
)
def test_times_are_calendars_and_split_the_log(cells: object, name: str, written: str) -> None:
    moments = [datetime(2024, 5, 1, tzinfo=UTC) + timedelta(minutes=37 * index) for index in range(ROWS)]
    draft = infer(table(**{name: [cells(moment) for moment in moments], "site": drawn(["a", "b"])}))  # type: ignore[operator]
    (field,) = choice(draft, name).fields
    assert isinstance(field, CalendarField)
    assert (field.format, field.parts) == (written, ("hour", "weekday", "weekend"))
    assert draft.split.value.model_dump() == {"kind": "time", "column": name, "valid": 0.1, "test": 0.1}


def test_milliseconds_split_the_log_by_time() -> None:
    draft = infer(table(ts=[1_700_000_000_000 + index * 997 for index in range(ROWS)], site=drawn(["a", "b"])))
    assert draft.split.value.model_dump()["column"] == "ts"
    assert choice(draft, "ts").kinds in {"left out", "calendar"}


def test_calendar_parts_that_do_not_differ_are_not_taken() -> None:
    days: list[object] = [f"2024-05-{index % 28 + 1:02d}" for index in range(ROWS)]
    draft = infer(table(day=days, site=drawn(["a", "b"])))
    assert choice(draft, "day").fields[0].model_dump()["parts"] == ("weekday", "weekend")


def test_times_that_do_not_sort_do_not_split() -> None:
    days: list[object] = [f"{index % 28 + 1}/05/2024" for index in range(ROWS)]
    draft = infer(table(day=days, site=drawn(["a", "b"])))
    assert draft.split.value.kind == "random"
    assert choice(draft, "day").reason.startswith("a time, but calendar fields do not read its format")
    blank: list[object] = [None, *(f"2024-05-{index % 28 + 1:02d}" for index in range(ROWS - 1))]
    assert infer(table(day=blank, site=drawn(["a", "b"]))).split.value.kind == "random"


def test_a_name_that_a_calendar_part_would_take_is_left_to_its_column() -> None:
    moments = [
        (datetime(2024, 5, 1, tzinfo=UTC) + timedelta(minutes=37 * index)).isoformat()[:19] for index in range(ROWS)
    ]
    draft = infer(table(t=moments, t_hour=drawn(["a", "b"])))
    assert choice(draft, "t").fields[0].name == "t_calendar"


def test_lists_are_sequences_that_share_the_rows_of_their_column() -> None:
    rng = random.Random(5)
    items = [rng.randrange(50) for _ in range(ROWS)]
    lists = [[rng.randrange(50) for _ in range(rng.randrange(6))] for _ in range(ROWS)]
    draft = infer(table(item_id=items, seen_items=lists))
    (seen,) = choice(draft, "seen_items").fields
    assert isinstance(seen, SequenceField)
    assert (seen.separator, seen.shares, seen.max_length) == (None, "item_id", 5)
    assert (seen.last, seen.matches) == (1, "item_id")
    texts: list[object] = ["^".join(map(str, each)) for each in lists]
    (text,) = choice(infer(table(item_id=items, seen=texts)), "seen").fields
    assert isinstance(text, SequenceField)
    assert (text.separator, text.shares, text.last, text.matches) == ("^", None, 0, None)


@pytest.mark.parametrize(("spelling", "shared"), [("i{}", "item"), ("{}", None)])
def test_elements_that_are_texts_of_another_column_share_its_rows_whatever_the_name(
    spelling: str, shared: str | None
) -> None:
    rng = random.Random(5)
    items = [spelling.format(rng.randrange(50)) for _ in range(ROWS)]
    lists = [[spelling.format(rng.randrange(50)) for _ in range(rng.randrange(6))] for _ in range(ROWS)]
    (past,) = choice(infer(table(item=items, past=lists)), "past").fields
    assert isinstance(past, SequenceField)
    assert past.shares == shared


def test_a_name_that_a_last_element_would_take_is_left_to_its_column() -> None:
    rng = random.Random(5)
    lists = [[rng.randrange(50) for _ in range(rng.randrange(6))] for _ in range(ROWS)]
    items = [rng.randrange(50) for _ in range(ROWS)]
    draft = infer(table(item_id=items, seen_items=lists, seen_items_last_1=drawn(["a", "b"])))
    assert choice(draft, "seen_items").fields[0].name == "seen_items_history"


def test_lists_that_differ_in_every_row_are_still_lists() -> None:
    rng = random.Random(6)
    lists = [[rng.randrange(500) for _ in range(20)] for _ in range(ROWS)]
    assert kind_of(lists)[0] == "sequence"
    assert kind_of(["|".join(map(str, each)) for each in lists])[0] == "sequence"


def test_sentences_and_names_are_no_lists() -> None:
    assert kind_of(drawn(["New York", "San Jose", "Boston", "Los Angeles"]))[0] == "categorical"
    assert kind_of(drawn(["Smith, John", "Smith, Jane", "Doe, John", "Doe, Jane"]))[0] == "categorical"


def test_users_are_the_group() -> None:
    users = drawn([f"u{index}" for index in range(100)])
    assert choice(infer(table(user_id=users)), "user_id").kinds == "categorical, group"
    assert choice(infer(table(site=users)), "site").kinds == "categorical"


def test_batch_and_model_grow_with_the_rows() -> None:
    small, large = (infer(table(site=drawn(["a", "b"])), num_rows=rows) for rows in (ROWS, 5_000_000))
    assert small.training.value.batch_size < large.training.value.batch_size == 4096
    assert small.model.value.token_dim < large.model.value.token_dim
    for rows in (4_000, 9_000, 70_000, 300_000):
        steps = rows * 0.8 / infer(table(site=drawn(["a", "b"])), num_rows=rows).training.value.batch_size
        assert steps >= 50


def test_frames_and_arrow_tables_give_the_same() -> None:
    arrow = table(site=drawn(["a", "b"]), price=drawn([1.5, 2.5]))
    assert infer(pl.DataFrame(arrow)) == infer(arrow)


def test_a_table_without_anything_to_learn_from_is_refused() -> None:
    with pytest.raises(DataError, match="must have a column to learn from besides the label"):
        infer(table(row=list(range(ROWS))))
    with pytest.raises(DataError, match="20 rows or more to draft settings from, but has 2"):
        infer(pa.table({"click": [0, 1], "site": ["a", "b"]}))


def test_the_draft_is_written_as_plain_values_with_reasons() -> None:
    plain = infer(table(site=drawn(["a", "b"]))).as_dict()
    assert plain["label"] == {"value": "click", "reason": "two values, and the name of a label"}
    assert plain["columns"] == [
        {"column": "site", "fields": [{"kind": "categorical", "column": "site"}], "reason": "2 different texts"}
    ]

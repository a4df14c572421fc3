"""Write a draft as a recipe with the reason of each choice in a comment."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rankelastor.drafting.draft import ColumnChoice, Draft, written
from rankelastor.drafting.log_file import LogSample

_WIDTH = 118
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_YAML_WORDS = frozenset({"yes", "no", "on", "off", "true", "false", "null", "y", "n"})


def recipe_text(draft: Draft, log: LogSample, *, name: str) -> str:
    """Write the draft for a log file as the YAML text of a recipe.

    Args:
        draft: what was inferred from the log.
        log: the log file.
        name: the name of the experiment.
    """
    return "\n".join([*_head(log), f"name: {inline(name)}", *_data(draft, log, name), *_rest(draft)]) + "\n"


def inline(value: Any) -> str:
    """Write a plain value as YAML on one line, texts in quotes wherever YAML could take them for something else.

    Example:
        >>> inline({"kind": "time", "column": "1e3", "valid": 0.1, "csv": {"quote": None, "blanks": ["no", "NA"]}})
        '{kind: time, column: "1e3", valid: 0.1, csv: {quote: null, blanks: ["no", NA]}}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{inline(key)}: {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _head(log: LogSample) -> Iterator[str]:
    rows = f"{log.num_rows:,} rows" if log.is_whole else f"first {log.table.num_rows:,} of about {log.num_rows:,} rows"
    yield from _comment(
        f"Drafted by `rankelastor init` from the {rows} of {log.file.name}. Each choice has its reason beside it; "
        "change what you know better. docs/use.md explains every setting."
    )


def _data(draft: Draft, log: LogSample, name: str) -> Iterator[str]:
    yield "data:"
    yield f"  prepared: {inline(f'prepared/{name}')}"
    yield f"  files: {inline({'folder': str(log.file.parent), 'all': log.file.name})}"
    yield from _comment(draft.split.reason, indent=2)
    yield f"  split: {inline(written(draft.split.value))}"
    yield from _csv(draft, log)
    yield from _comment(f"{draft.label.value.column}: {draft.label.reason}", indent=2)
    yield f"  label: {inline(draft.label.value.model_dump(mode='json'))}"
    yield "  fields:"
    for column in draft.columns:
        if column.fields:
            yield from _comment(f"{_shown(column.column)}: {column.reason}", indent=4)
            yield from (f"    - {inline(written(field))}" for field in column.fields)
    yield from _left_out([column for column in draft.columns if not column.fields])


def _csv(draft: Draft, log: LogSample) -> Iterator[str]:
    if log.csv is None and not draft.blanks.value:
        return
    values = {} if log.csv is None else log.csv.value.model_dump(mode="json", exclude_unset=True)
    reasons = [] if log.csv is None or not values else [log.csv.reason]
    if draft.blanks.value:
        values["blanks"] = list(draft.blanks.value)
        reasons.append(f"blanks: {', '.join(draft.blanks.value)} {draft.blanks.reason}")
    if values:
        yield from _comment("; ".join(reasons), indent=2)
        yield "  csv:"
        yield from _lines(values, indent=4)


def _left_out(columns: Sequence[ColumnChoice]) -> Iterator[str]:
    if columns:
        yield "    # left out:"
    for column in columns:
        yield from _comment(f"  {_shown(column.column)}: {column.reason}", indent=4)


def _rest(draft: Draft) -> Iterator[str]:
    yield from _comment(draft.model.reason)
    yield "model:"
    yield from _lines({"kind": draft.model.value.kind}, indent=2)
    size = f"batches of {draft.training.value.batch_size:,}"
    yield from _comment(f"training is chosen for the data, too: about {size}, {draft.training.reason}")
    yield "version: 2"


def _lines(values: Mapping[str, Any], *, indent: int) -> Iterator[str]:
    """Write a mapping with one key a line; long lists are broken."""
    space = " " * indent
    for key, value in values.items():
        line = f"{space}{inline(key)}: {inline(value)}"
        if len(line) > _WIDTH and isinstance(value, list | tuple):
            yield f"{space}{inline(key)}:"
            text = inline(value)
            yield from textwrap.wrap(
                text, _WIDTH, initial_indent=f"{space}  ", subsequent_indent=f"{space}   ",
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
        else:
            yield line


def _comment(text: str, *, indent: int = 0) -> Iterator[str]:
    start = " " * indent + "# "
    leading = len(text) - len(text.lstrip())
    further = leading + 2 if leading else 0
    printable = "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text.strip())
    yield from textwrap.wrap(
        printable, _WIDTH, initial_indent=start + " " * leading, subsequent_indent=start + " " * further,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _shown(name: str) -> str:
    return name or '""'

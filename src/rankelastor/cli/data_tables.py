"""Render the report on prepared data as tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rankelastor.cli.fitted_table import FittedTable, printable
from rankelastor.data_report.figures import DataReport, IdFigures, NumberFigures, SplitFigures, ValueFigures
from rankelastor.percent import percent

_WIDE = 100


def report_view(report: DataReport, *, width: int, top: int) -> RenderableType:
    """Render the whole report with ``top`` values per feature, and fewer columns on a narrow terminal."""
    parts: list[RenderableType] = [_headline(report), "", _split_table(report.splits)]
    if any(split.weights for split in report.splits.values()):
        parts += ["", _weight_table(report.splits)]
    if report.ids:
        parts += ["", _id_table(report.ids, list(report.splits))]
    if report.numbers:
        parts += ["", _number_table(report.numbers, wide=width >= _WIDE)]
    if report.ids and top:
        parts += ["", _value_table(report, top)]
    return Group(*parts, "", *_notices(report))


def _headline(report: DataReport) -> Text:
    num_rows = sum(split.num_rows for split in report.splits.values())
    line = Text.assemble(
        (report.folder, "bold"), f"  {num_rows:,} rows, {len(report.ids) + len(report.numbers)} features, label "
    )
    return line.append(printable(report.label), style="bold")


def _table(title: str, *columns: str, left: int = 1) -> FittedTable:
    """Create a table whose first ``left`` columns are text and whose other columns are numbers."""
    table = FittedTable(*columns, left=left, title=title, header_style="dim")
    for column in table.columns[:left]:
        column.no_wrap = True  # shortened, not broken
    return table


def _split_table(splits: Mapping[str, SplitFigures]) -> FittedTable:
    tasks = next(iter(splits.values())).label_rates or {}
    table = _table(
        "Splits", "split", "rows", "share", *([escape(f"{printable(task)} rate") for task in tasks] or ["label rate"])
    )
    for name, split in splits.items():
        rates = (split.label_rates or {"": split.label_rate}).values()
        table.add_row(name, f"{split.num_rows:,}", _percent(split.share), *[percent(rate, digits=2) for rate in rates])
    return table


def _weight_table(splits: Mapping[str, SplitFigures]) -> FittedTable:
    column = next(split.weights.column for split in splits.values() if split.weights is not None)
    title = f"Weights ({column})"
    table = _table(title, "split", "mean", "min", "max", "zero", "label rate\nby weight")
    for name, split in splits.items():
        if (weights := split.weights) is not None:
            numbers = (_number(weights.mean), _number(weights.minimum), _number(weights.maximum))
            table.add_row(name, *numbers, _percent(weights.zero_share), percent(weights.label_rate, digits=2))
    return table


def _id_table(features: Mapping[str, IdFigures], splits: list[str]) -> FittedTable:
    others = [split for split in splits if split != "train"]
    titles = [f"unseen\n{split}" for split in others]
    table = _table("Features of ids", "feature", "kind", "distinct", "blank", *titles, "AUC\nalone", left=2)
    for name, figures in features.items():
        unseen, blank = figures.unseen_share or {}, figures.blank_share or {}
        table.add_row(
            _name(name),
            figures.kind,
            f"{figures.num_distinct:,}",
            _percent(blank.get("train")),
            *[_percent(unseen.get(split)) for split in others],
            _auc(figures.auc_alone),
        )
        if figures.lengths is not None:
            table.add_row(Text("  mean length", style="dim"), f"{figures.lengths.mean:.1f}")
            table.add_row(Text("  empty", style="dim"), _percent(figures.lengths.empty_share))
    return table


def _number_table(features: Mapping[str, NumberFigures], *, wide: bool) -> FittedTable:
    shares = ("0.01", "0.25", "0.5", "0.75", "0.99") if wide else ("0.5", "0.99")
    names = {"0.5": "median"} | {share: percent(float(share), digits=0) for share in shares if share != "0.5"}
    columns = ["mean", "sd", "min", *[names[share] for share in shares], "max", "at\nblank", "AUC\nalone"]
    table = _table("Numbers, as the model sees them", "feature", "transform", *columns, left=2)
    for name, figures in features.items():
        quantiles = [figures.quantiles[share] for share in shares]
        values = [figures.mean, figures.standard_deviation, figures.minimum, *quantiles, figures.maximum]
        last = [_percent(figures.at_blank_share), _auc(figures.auc_alone)]
        table.add_row(_name(name), figures.transform, *map(_number, values), *last)
    return table


def _value_table(report: DataReport, top: int) -> FittedTable:
    table = _table("Most frequent values in train", "feature", "value", "share", "label rate", left=2)
    for name, figures in report.ids.items():
        for index, value in enumerate(figures.most_frequent[:top]):
            label_rate = percent(value.label_rate, digits=2)
            table.add_row(_name(name) if index == 0 else "", _value(value), _percent(value.share), label_rate)
    return table


def _notices(report: DataReport) -> Iterator[RenderableType]:
    if not report.notices:
        yield Text("No warnings.", style="green")
        return
    number = len(report.notices)
    yield Text(f"{number} thing{'s' if number > 1 else ''} to look at", style="bold yellow")
    for notice in report.notices:
        line = Text(printable(notice.message))
        for name in sorted(notice.about, key=len, reverse=True):
            line.highlight_words([printable(name)], style="bold")
        mark = Text("! ", style="bold red" if notice.rule == "leak" else "yellow")
        grid = Table.grid()
        grid.add_row(mark, line)
        yield Padding(grid, (0, 0, 0, 1), expand=False)


def _name(name: str) -> Text:
    return Text(printable(name))


def _value(value: ValueFigures) -> Text:
    if value.kind == "padding":
        return Text("blank (padding)", style="dim italic")
    if value.kind == "out_of_vocabulary":
        return Text("out of vocabulary", style="dim italic")
    return Text(printable(value.text)) if value.text else Text("blank", style="dim italic")


def _percent(share: float | None) -> str:
    """Format a share as a percentage, with 0 % and 100 % only where exact; a dash for None."""
    if share is None:
        return "-"
    if 0 < share < 0.0005:  # noqa: PLR2004 - this would round to 0.0 %
        return "<0.1%"
    if 0.9995 < share < 1:  # noqa: PLR2004 - this would round to 100.0 %
        return ">99.9%"
    return percent(share, digits=1)


def _auc(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _number(value: float) -> str:
    """Format a number with about four significant digits, without an exponent where that is short."""
    if value and not 1e-3 <= abs(value) < 1e6:  # noqa: PLR2004 - an exponent is shorter outside this range
        return f"{value:.2e}"
    digits = max(0, 3 - (math.floor(math.log10(abs(value))) if value else 0))
    return f"{value:,.{min(digits, 4)}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"

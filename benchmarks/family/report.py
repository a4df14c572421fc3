"""Write the results of the tables as Markdown."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.family.plan import HISTORY_MODELS, SEEDS, SHARINGS, best_draws
from scipy.stats import t as student

from rankelastor.studies.paired_auc import auc_difference

PUBLISHED = {
    "logistic_regression": 0.9356,
    "fm": 0.9671,
    "autoint": 0.9831,
    "mlp": 0.9833,
    "dcn_v2": 0.9838,
    "xdeepfm": 0.9845,
    "finalmlp": 0.9861,
}
"""Test AUC of BARS on the original negatives; DCN V2 is the mean of five runs."""

Line = Mapping[str, Any]


def write_tables(lines: Sequence[Line], work: Path) -> str:
    """Write all tables for which there are results."""
    parts = {
        "Frappe, tuned": _frappe(lines, work),
        "Frappe, the draws": _draws(lines),
        "Frappe, shared settings, one seed": _shared(lines),
        "Frappe, beside the published manner": _published(lines),
        "MovieLens-1M, mean pooling and target attention": _history(lines),
        "Two labels": _tasks(lines),
    }
    return "\n\n".join(f"### {title}\n\n{text}" for title, text in parts.items() if text) + "\n"


def _frappe(lines: Sequence[Line], work: Path) -> str:
    groups = [
        _chosen(lines, study, model, draw)
        for study in ("frappe", "fuxictr", "trees")
        for model, draw in best_draws(lines, study).items()
    ]
    if not groups:
        return ""
    groups.sort(key=lambda runs: -_mean(runs, "valid", "auc"))
    rows = [
        [
            runs[0]["model"],
            f"{runs[0]['draw']}",
            _count(runs[0].get("dense_parameters")),
            _count(runs[0].get("flops")),
            _spread(runs, "valid", "auc"),
            _spread(runs, "test", "auc"),
            _spread(runs, "test", "logloss"),
            f"{statistics.mean(run['seconds'] for run in runs):.0f}",
            _against_published(runs),
        ]
        for runs in groups
    ]
    heads = ["model", "draw", "dense parameters", "FLOPs", "valid AUC", "test AUC", "test logloss", "seconds"]
    return f"{_table([*heads, 'against BARS'], rows)}\n\n{_smallest_difference(groups, work)}"


def _against_published(runs: Sequence[Line]) -> str:
    published = PUBLISHED.get(runs[0]["model"])
    return "" if published is None else f"{_mean(runs, 'test', 'auc') - published:+.4f}"


def _smallest_difference(groups: Sequence[Sequence[Line]], work: Path) -> str:
    """Say which difference of two models' test AUC chance explains in 5 % of cases: by seeds, by rows, by both."""
    repeated = [[run["test"]["auc"] for run in runs] for runs in groups if len(runs) == len(SEEDS)]
    if len(repeated) < 2:  # noqa: PLR2004 - a difference needs two
        return "The smallest difference that the table can tell apart needs two models with all seeds."
    freedom = sum(len(aucs) - 1 for aucs in repeated)
    deviation = math.sqrt(statistics.mean(statistics.variance(aucs) for aucs in repeated))
    by_seeds = deviation * math.sqrt(2 / len(SEEDS))
    factor = float(student.ppf(0.975, freedom))
    text = (
        f"Over seeds one model's test AUC has a pooled deviation of {deviation:.5f} ({freedom} degrees of freedom), so "
        f"that two means of {len(SEEDS)} seeds differ by chance by up to {factor * by_seeds:.4f} (95 %)"
    )
    by_rows = _deviation_over_rows(groups, work)
    if by_rows is None:
        return f"{text}."
    both = factor * math.hypot(by_seeds, by_rows)
    return (
        f"{text}; other test rows would move the difference of two models by a standard error of {by_rows:.4f} "
        f"(DeLong, median over pairs). **The smallest difference that the table can tell apart is {both:.4f}.**"
    )


def _deviation_over_rows(groups: Sequence[Sequence[Line]], work: Path) -> float | None:
    labels = work / "scores" / "labels-frappe.npy"
    scores = [work / runs[0]["scores"] for runs in groups if len(runs) == len(SEEDS)]
    if not labels.is_file() or not all(path.is_file() for path in scores):
        return None
    label, columns = np.load(labels)[:, 0], [np.load(path)[:, 0] for path in scores]
    pairs = itertools.combinations(columns, 2)
    return statistics.median(auc_difference(label, one, other).standard_error for one, other in pairs)


def _draws(lines: Sequence[Line]) -> str:
    chosen = [line for line in lines if line["study"] == "frappe" and line["seed"] == SEEDS[0]]
    rows = [
        [line["model"], f"{line['draw']}", f"{line['valid']['auc']:.6f}", f"{line['best_epoch']}", _changes(line)]
        for line in sorted(chosen, key=lambda line: (line["model"], line["draw"]))
    ]
    return _table(["model", "draw", "valid AUC", "best epoch", "settings that differ from the recipe"], rows)


def _changes(line: Line) -> str:
    texts = (f"{path.rsplit('.', 1)[-1]} {value}" for path, value in line["changes"].items())
    return ", ".join(texts) or "none"


def _shared(lines: Sequence[Line]) -> str:
    chosen = [line for line in lines if line["study"] == "shared"]
    chosen += [line for line in lines if line["study"] == "frappe" and line["draw"] == 0 and line["seed"] == SEEDS[0]]
    rows = [
        [
            line["model"],
            _count(line["dense_parameters"]),
            _count(line["flops"]),
            f"{line['valid']['auc']:.6f}",
            f"{line['test']['auc']:.6f}",
            f"{line['test']['logloss']:.6f}",
            f"{line['seconds']:.0f}",
        ]
        for line in sorted(chosen, key=lambda line: -line["valid"]["auc"])
    ]
    return _table(["model", "dense parameters", "FLOPs", "valid AUC", "test AUC", "test logloss", "seconds"], rows)


def _published(lines: Sequence[Line]) -> str:
    rows = [
        [runs[0]["model"], f"{len(runs)}", *(_spread(runs, *each) for each in _BOTH), _each_seed(runs)]
        for runs in _by_model(lines, "published")
    ]
    return _table(["code", "seeds", "valid AUC", "test AUC", "test logloss", "test AUC by seed"], rows)


_BOTH = (("valid", "auc"), ("test", "auc"), ("test", "logloss"))


def _each_seed(runs: Sequence[Line]) -> str:
    return ", ".join(f"{run['test']['auc']:.6f}" for run in runs)


def _history(lines: Sequence[Line]) -> str:
    groups = _by_model(lines, "history", order=HISTORY_MODELS)
    rows = [
        [
            runs[0]["model"],
            _count(runs[0]["dense_parameters"]),
            _count(runs[0]["flops"]),
            _spread(runs, "test", "auc"),
            _spread(runs, "test", "gauc"),
            _spread(runs, "test", "logloss"),
            f"{statistics.mean(run['seconds'] for run in runs):.0f}",
        ]
        for runs in groups
    ]
    if not rows:
        return ""
    heads = ["model", "dense parameters", "FLOPs", "test AUC", "test gAUC", "test logloss", "seconds"]
    named = {runs[0]["model"]: runs for runs in groups}
    pairs = list(zip(HISTORY_MODELS[::2], HISTORY_MODELS[1::2], strict=True))
    gains = [_gain(named[one], named[other]) for one, other in pairs if one in named and other in named]
    return f"{_table(heads, rows)}\n\n" + " ".join(gains)


def _gain(pooled: Sequence[Line], attended: Sequence[Line]) -> str:
    words = []
    for metric, name in (("auc", "AUC"), ("gauc", "gAUC")):
        each = [other["test"][metric] - one["test"][metric] for one, other in zip(pooled, attended, strict=False)]
        error = statistics.stdev(each) / math.sqrt(len(each)) if len(each) > 1 else math.nan
        words.append(f"{statistics.mean(each):+.4f} ± {error:.4f} in {name}")
    return f"Target attention gains `{pooled[0]['model']}` {' and '.join(words)} (standard error over seeds)."


def _tasks(lines: Sequence[Line]) -> str:
    def of(task: str, metric: str) -> Callable[[Line], float]:
        return lambda run: float(run["test"]["tasks"][task][metric])

    columns = [of(task, metric) for task in ("click", "buy") for metric in ("auc", "logloss")]
    rows = [
        [
            runs[0]["model"],
            _count(runs[0]["dense_parameters"]),
            *(_mean_and_deviation([column(run) for run in runs]) for column in columns),
            f"{statistics.mean(run['seconds'] for run in runs):.0f}",
        ]
        for runs in _by_model(lines, "tasks", order=tuple(SHARINGS))
    ]
    heads = ["sharing", "dense parameters", "click AUC", "click logloss", "buy AUC", "buy logloss", "seconds"]
    return _table(heads, rows)


def _by_model(lines: Sequence[Line], study: str, *, order: Sequence[str] | None = None) -> list[list[Line]]:
    chosen = [line for line in lines if line["study"] == study]
    names = order or sorted({line["model"] for line in chosen})
    groups = (
        sorted((line for line in chosen if line["model"] == name), key=lambda line: int(line["seed"])) for name in names
    )
    return [runs for runs in groups if runs]


def _chosen(lines: Sequence[Line], study: str, model: str, draw: int) -> list[Line]:
    runs = [line for line in lines if (line["study"], line["model"], line["draw"]) == (study, model, draw)]
    return sorted(runs, key=lambda line: int(line["seed"]))


def _mean(runs: Sequence[Line], split: str, metric: str) -> float:
    return statistics.mean(float(run[split][metric]) for run in runs)


def _spread(runs: Sequence[Line], split: str, metric: str) -> str:
    return _mean_and_deviation([float(run[split][metric]) for run in runs])


def _mean_and_deviation(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.6f}"
    return f"{statistics.mean(values):.6f} ± {statistics.stdev(values):.6f}"


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(_lines(heads, rows)) if rows else ""


def _lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---' for _ in heads)} |"
    yield from (f"| {' | '.join(row)} |" for row in rows)

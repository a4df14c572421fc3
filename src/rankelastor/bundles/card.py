"""The model card of a bundle, in Markdown: what the ranker is, what it holds, how good it is, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rankelastor.bundles.findings import Findings
from rankelastor.metrics.table import METRICS
from rankelastor.percent import percent
from rankelastor.runs.bundle_file.index import BundleIndex
from rankelastor.runs.load import LoadedRun
from rankelastor.runs.result import RunResult
from rankelastor.runs.run_folder import RunFolder

_SHOWN_SOURCES = 12


def card_text(run: LoadedRun, index: BundleIndex, findings: Findings, *, sampled_negatives: float | None) -> str:
    """Write the card.

    Args:
        run: the run as it lies in the bundle.
        index: what the bundle holds, whose files need not be listed yet.
        findings: intervals and spectrum.
        sampled_negatives: share of the negatives that the log of the training held; None if it held all.
    """
    result = RunFolder(run.folder).result()
    parts = [
        _head(run, index, result),
        _inside(run, index),
        _data(run),
        _metrics(result, findings),
        _probabilities(run, result, sampled_negatives),
        _unseen(result),
        _spectrum(findings),
        _cost(run, result),
        _alarms(result),
    ]
    return "\n".join(line for part in parts for line in part)


def _head(run: LoadedRun, index: BundleIndex, result: RunResult) -> Iterator[str]:
    members = (
        f"ensemble of {len(run.members)} models, the first a `{index.model}`" if run.members else f"`{index.model}`"
    )
    yield f"# {_text(index.name)}"
    yield ""
    yield f"A ranker of rankelastor {index.version}: {members}, which predicts {_join(_labels(run))} as a probability."
    yield f"Seed {result.seed}; best epoch {result.best_epoch} of {result.epochs}; trained in {result.seconds:,.0f} s."
    yield ""


def _labels(run: LoadedRun) -> list[str]:
    targets = [(target.task, target.label) for target in run.recipe.data.targets]
    return [
        f"`{_text(label.column)}`" + (f" (1 is `{_text(str(label.positive))}`)" if label.positive is not None else "")
        for _, label in targets
    ]


def _inside(run: LoadedRun, index: BundleIndex) -> Iterator[str]:
    num_values = sum(len(vocabulary.values) for vocabulary in run.encoder.vocabularies.values())
    yield "## What this file holds"
    yield ""
    yield "- Weights, recipe, metrics, calibration, and the environment of the training."
    yield "- The names of columns and of raw files, and statistics of the columns (ranges, edges, counts of values)."
    if index.hashed_vocabularies:
        yield (
            f"- Salted hashes of {num_values:,} values of the log. The salt is in the file, since scoring needs it: "
            "values that can be guessed can be found out by trying. Their numbers of occurrences are in the file too, "
            "and among values that occur equally often the order is that of the clear texts, which helps to guess."
        )
    elif num_values:
        yield f"- {num_values:,} values of the log in clear text: the vocabularies, with their numbers of occurrences."
    else:
        yield "- No values of the log: no field has a vocabulary."
    if index.num_examples:
        yield (
            f"- {index.num_examples} rows of the log in clear text, with their probabilities, by which "
            "`rankelastor verify` checks the ranker. **They are data of people if the log is.**"
        )
    else:
        yield "- No rows of the log, so that `rankelastor verify` compares checksums alone."
    yield ""


def _data(run: LoadedRun) -> Iterator[str]:
    manifest = run.encoder.manifest
    yield "## Data"
    yield ""
    yield "| split | rows | mean label |"
    yield "| --- | ---: | ---: |"
    for split, summary in manifest.splits.items():
        yield f"| {split} | {summary.num_rows:,} | {summary.label_mean:.6f} |"
    yield ""
    names = [source.name for source in manifest.sources]
    more = f" and {len(names) - _SHOWN_SOURCES} more" if len(names) > _SHOWN_SOURCES else ""
    yield f"Raw files: {', '.join(f'`{_text(name)}`' for name in names[:_SHOWN_SOURCES])}{more}."
    yield ""
    yield "| field | column | kind |"
    yield "| --- | --- | --- |"
    for spec in manifest.features:
        yield f"| {_text(spec.name)} | {_text(', '.join(spec.columns))} | {_text(spec.describe())} |"
    yield ""


def _metrics(result: RunResult, findings: Findings) -> Iterator[str]:
    yield "## Metrics"
    yield ""
    for split, figures in result.metrics.items():
        for task, values in _by_task(figures).items():
            found = findings.intervals if split == findings.split else {}
            intervals = next(iter(found.values()), {}) if task is None else found.get(task, {})
            yield from _table_of_metrics(split, task, values, intervals)
    yield "Of valid the best evaluation was chosen, so that its figures are too good; those of test are not."
    if findings.reason is not None and not findings.intervals:
        yield f"Intervals of 95 % were not computed: {findings.reason}."
    elif findings.intervals:
        yield "Intervals are those of 95 % for other rows of the same log, not for another seed or a later week."
    if result.baseline is not None and "auc" in result.baseline.metrics and "auc" in result.baseline.ranker:
        yield (
            f"Logistic regression has AUC {result.baseline.metrics['auc']:.6f} on {result.baseline.num_valid_rows:,} "
            f"rows of valid, where the ranker has {result.baseline.ranker['auc']:.6f}."
        )
    yield ""


def _by_task(figures: Mapping[str, Any]) -> dict[str | None, Mapping[str, Any]]:
    tasks = figures.get("tasks")
    return {None: figures} if tasks is None else dict(tasks)


def _table_of_metrics(
    split: str, task: str | None, values: Mapping[str, Any], intervals: Mapping[str, Any]
) -> Iterator[str]:
    yield f"| {split}{'' if task is None else f', {_text(task)}'} | value | interval of 95 % |"
    yield "| --- | ---: | --- |"
    for name, value in values.items():
        if isinstance(value, int | float):
            title = METRICS[name].title if name in METRICS else name.replace("_", " ")
            interval = intervals.get(name)
            between = "" if interval is None else f"{interval.low:.6f} to {interval.high:.6f} ({interval.method})"
            yield f"| {title} | {_figure(value)} | {between} |"
    yield ""


def _probabilities(run: LoadedRun, result: RunResult, sampled_negatives: float | None) -> Iterator[str]:
    yield "## Probabilities"
    yield ""
    odds = run.recipe.odds
    if odds.logit_shift:
        yield f"{odds.logit_shift:+.4f} is added to each logit for what training did to the odds of the label."
    for task, choice in run.calibration.choices.items():
        figures = result.calibrators.get(task)
        rows = "" if figures is None else f", fitted on {figures.num_positive + figures.num_negative:,} rows of valid"
        of = f" of {_text(task)}" if len(run.calibration.choices) > 1 else ""
        yield f"Calibration{of}: `{choice.kind}`{rows}."
    if not run.calibration.choices:
        yield "The logits are not calibrated."
    if sampled_negatives is not None:
        yield (
            f"The log of the training held {percent(sampled_negatives)} of its negatives, so that "
            f"{run.calibration.offset:+.4f} is added to each logit. The metrics are those of the log before it."
        )
    yield ""


def _unseen(result: RunResult) -> Iterator[str]:
    yield "## Values that training has not seen"
    yield ""
    splits = [split for split in result.metrics if split in result.unseen]
    names = list(dict.fromkeys(name for split in splits for name in result.unseen[split].share_by_field))
    if not names:
        yield "No field can have any, or they were not counted."
        yield ""
        return
    yield f"| field | {' | '.join(splits)} |"
    yield f"| --- |{' ---: |' * len(splits)}"
    for name in names:
        shares = [result.unseen[split].share_by_field.get(name) for split in splits]
        yield f"| {_text(name)} | {' | '.join('' if share is None else percent(share, digits=2) for share in shares)} |"
    for split in splits:
        share = result.unseen[split].share_of_examples
        yield ""
        yield f"{percent(share, digits=2)} of the rows of {split} hold such a value."
    yield ""


def _spectrum(findings: Findings) -> Iterator[str]:
    yield "## Spectrum"
    yield ""
    if findings.spectrum:
        yield from findings.spectrum
    else:
        yield f"Not measured: {findings.reason}."
    yield ""


def _cost(run: LoadedRun, result: RunResult) -> Iterator[str]:
    cost = result.cost
    yield "## Cost"
    yield ""
    yield f"- {cost.dense_parameters:,} dense parameters and {cost.embedding_parameters:,} of embeddings"
    yield f"- {cost.flops_per_example:,} FLOPs per example scored (matrix products; a multiply-add counts as 2)"
    environment = RunFolder(run.folder).environment()
    if environment.get("processor"):
        yield f"- trained on {_text(str(environment['processor']))}, at {result.examples_per_second:,.0f} examples/s"
    yield ""


def _alarms(result: RunResult) -> Iterator[str]:
    yield "## Alarms of the training"
    yield ""
    if not result.alarms:
        yield "None."
    for alarm in result.alarms:
        yield f"- {_text(alarm.message)}"
    yield ""


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6f}"


def _join(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _text(text: str) -> str:
    """Write a foreign text on one line, without marks that Markdown or HTML would read."""
    printable = "".join(mark if mark.isprintable() else " " for mark in text)
    for mark in "\\`|*<>[]":
        printable = printable.replace(
            mark, f"\\{mark}" if mark not in "<>`" else {"<": "&lt;", ">": "&gt;", "`": "'"}[mark]
        )
    return printable

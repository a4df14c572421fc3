"""The alarms of a training: those known before the first step, and those of its result."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rankelastor.alarms.alarm import Alarm, log_alarms
from rankelastor.alarms.facts import Facts, LabelFacts, RepeatFacts
from rankelastor.alarms.table import sound
from rankelastor.data.manifest import read_vocabularies
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data_report.repeats import count_repeats
from rankelastor.evaluation.alarm_facts import score_facts, unseen_facts
from rankelastor.evaluation.scoring import Predictions
from rankelastor.evaluation.unseen import UnseenValues
from rankelastor.schema import SplitName
from rankelastor.training.compare import Comparison
from rankelastor.training.inputs import RunInputs


def early_alarms(inputs: RunInputs) -> tuple[Alarm, ...]:
    """Give and log the alarms that are known before the first step: rare labels, rows of valid that repeat train."""
    kept = inputs.recipe.training.negatives_kept
    labels: list[Facts] = [
        LabelFacts(
            task=counts.task,
            num_rows=counts.num_positive + round(kept * (counts.num_rows - counts.num_positive)),
            num_positive=counts.num_positive,
            starts_at_rate=inputs.recipe.starts_at_base_rate,
        )
        for counts in inputs.labels
    ]
    alarms = sound([*labels, repeat_facts(inputs.dataset)])
    log_alarms(alarms)
    return alarms


def repeat_facts(dataset: PreparedDataset) -> RepeatFacts:
    """Count the rows of valid that repeat train, and the chance that labels of repeated rows agree."""
    repeats = count_repeats(dataset, "valid")
    summary = dataset.manifest.splits["train"]
    rates = np.array(list((summary.label_means or {"": summary.label_mean}).values()))
    return RepeatFacts(
        where="valid",
        num_rows=repeats.num_rows,
        num_repeated=repeats.num_repeated,
        num_same_label=repeats.num_same_label,
        num_other_label=repeats.num_other_label,
        train_share=repeats.train_share,
        chance_of_same_label=float(np.prod(rates**2 + (1 - rates) ** 2)),
    )


def run_alarms(
    dataset: PreparedDataset,
    predictions: Mapping[SplitName, Predictions],
    unseen: Mapping[SplitName, UnseenValues],
    compared: Comparison | None,
) -> tuple[Alarm, ...]:
    """Give and log the alarms of a result."""
    vocabularies = read_vocabularies(dataset.place, dataset.manifest)
    facts: list[Facts] = []
    for split, of_split in predictions.items():
        is_valid = split == "valid"
        facts += score_facts(
            split,
            of_split,
            of_split.metrics(),
            baseline=compared.baseline if compared and is_valid else None,
            baseline_metrics=compared.ranker if compared and is_valid else None,
        )
        shares = None if is_valid else unseen["valid"].share_by_field
        facts += unseen_facts(split, unseen[split], valid_shares=shares, vocabularies=vocabularies)
    alarms = sound(facts)
    log_alarms(alarms)
    return alarms

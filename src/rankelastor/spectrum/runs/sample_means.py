"""The rank during the training of several seeds of one model: means over seeds at the steps that all have."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from rankelastor.spectrum.runs.training_samples import StageSample, TrainingSample
from rankelastor.spectrum.seeds import mean_interval, standard_error


def merge_samples(by_run: Sequence[Sequence[TrainingSample]]) -> tuple[TrainingSample, ...]:
    """Average the samples of runs that differ by their seed, at the steps at which all were sampled.

    The standard errors are those over seeds, and ``half_widths`` the half-widths of the 95 % intervals by Student's t.
    """
    by_step = [{sample.step: sample for sample in samples} for samples in by_run]
    steps = [step for step in by_step[0] if all(step in samples for samples in by_step)]
    return tuple(_merge([samples[step] for samples in by_step]) for step in steps)


def _merge(samples: Sequence[TrainingSample]) -> TrainingSample:
    first = samples[0]
    shared = [stage for stage in first.stages if all(stage in sample.stages for sample in samples)]
    return TrainingSample(
        epoch=first.epoch,
        step=first.step,
        num_examples=sum(sample.num_examples for sample in samples),
        stages={stage: _merge_stages([sample.stages[stage] for sample in samples]) for stage in shared},
    )


def _merge_stages(stages: Sequence[StageSample]) -> StageSample:
    means = {
        measure: [stage.means[measure] for stage in stages]
        for measure in stages[0].means
        if all(measure in stage.means for stage in stages)
    }
    intervals = {measure: mean_interval(values) for measure, values in means.items()}
    errors = {measure: standard_error(values) for measure, values in means.items()}
    return StageSample(
        max_possible_rank=stages[0].max_possible_rank,
        num_not_finite=sum(stage.num_not_finite for stage in stages),
        means={measure: fmean(values) for measure, values in means.items()},
        standard_errors={measure: error for measure, error in errors.items() if error is not None},
        half_widths={
            measure: (interval[1] - interval[0]) / 2 for measure, interval in intervals.items() if interval is not None
        },
    )

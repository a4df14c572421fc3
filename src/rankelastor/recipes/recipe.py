"""A recipe: one complete experiment."""

from typing import Literal, Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings
from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.config.training import TrainingSettings
from rankelastor.data.settings import DataSettings
from rankelastor.errors import SettingsError
from rankelastor.metrics.monitor import check_directions, monitor_names
from rankelastor.models.catalogue import ModelSettings
from rankelastor.objectives.odds import Odds


class Recipe(Settings):
    """Data, model, training and spectrum samples of one experiment."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of the experiment: letters, digits, `.`, `_` and `-`. The default run folder is `runs/NAME`.",
    )
    data: DataSettings = Field(description="Raw files, their format, and the fields that become features.")
    model: ModelSettings = Field(description="The ranker.")
    training: TrainingSettings = Field(
        TrainingSettings(), description="Optimiser, stopping, device, and the order of the rows."
    )
    spectrum: SpectrumSettings = Field(
        SpectrumSettings(), description="Samples of the rank of representations during training."
    )
    version: Literal[1, 2] = Field(
        1,
        description="Version of the defaults. A recipe without it has version 1, and its results do not change; "
        "the defaults of version 2 are the same so far.",
    )

    @model_validator(mode="after")
    def _check_monitor(self) -> Self:
        monitor = self.training.stopping.monitor
        names = monitor_names([target.task for target in self.data.targets])
        for name in [monitor] if isinstance(monitor, str) else monitor:
            if name not in names:
                raise ValueError(f"training.monitor must be one of {', '.join(names)}, but {name!r} was given")
        if not isinstance(monitor, str):
            try:
                check_directions(monitor)
            except SettingsError as error:
                raise ValueError(str(error)) from None
        return self

    @model_validator(mode="after")
    def _check_negatives(self) -> Self:
        if self.training.negatives_kept < 1 and len(self.data.targets) > 1:
            raise ValueError(
                f"training.negatives_kept needs a single label, but data.labels has {len(self.data.targets)}: rows "
                "that are negative for one may be positive for another; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _check_sequences(self) -> Self:
        has_lists = any(field.kind == "sequence" for field in self.data.fields)
        if self.model.sequence is not None and not has_lists:
            raise ValueError(
                "model.sequence needs a field of lists, but data.fields has none; add {kind: sequence, column: ...}, "
                "or leave model.sequence out"
            )
        return self

    @model_validator(mode="after")
    def _check_tasks(self) -> Self:
        tasks = [target.task for target in self.data.targets]
        if self.model.tasks is not None:
            try:
                self.model.tasks.check(tasks)
            except ValueError as error:
                raise ValueError(f"model.{error}") from None
        unknown = sorted(set(self.training.task_weights).difference(tasks))
        if unknown:
            raise ValueError(
                f"training.task_weights must name tasks of {tasks}, but {unknown} were given; add labels of these "
                "names to data.labels"
            )
        weights = [self.training.task_weights.get(task, 1.0) for task in tasks]
        if not any(weights):
            raise ValueError("training.task_weights must not all be 0, but are; leave out the task to learn")
        return self

    @model_validator(mode="after")
    def _check_objective(self) -> Self:
        objective = self.training.objective
        if not objective.within_groups:
            return self
        if not any(field.names_group for field in self.data.fields):
            raise ValueError(
                f"training.objective={objective.kind} compares the rows of a group, but data.fields has no group; add "
                "{kind: group, column: ...}"
            )
        if self.training.negatives_kept < 1:
            raise ValueError(
                f"training.objective={objective.kind} needs all rows of a group, but training.negatives_kept="
                f"{self.training.negatives_kept} leaves rows out; leave it out"
            )
        return self

    @property
    def odds(self) -> Odds:
        """How training changes the odds of the label, and what restores them."""
        return Odds(
            kept_before=self.data.negatives_kept,
            kept_in_training=self.training.negatives_kept,
            positive_weight=self.training.positive_weight,
        )

    @property
    def starts_at_base_rate(self) -> bool:
        """Whether the output bias starts at the logit of the label rate, see ``training.output_bias``."""
        return self.training.output_bias == "base_rate"

"""A recipe: one complete experiment."""

import copy
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from rankelastor.config.base import Settings
from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.config.training import TrainingSettings
from rankelastor.data.settings import DataSettings
from rankelastor.errors import SettingsError
from rankelastor.metrics.monitor import check_directions, monitor_names
from rankelastor.models.catalogue import ModelSettings
from rankelastor.objectives.odds import Odds
from rankelastor.recipes.protocols import fill, plain_values, protocol_of


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
        "in version 2 what a recipe leaves out is chosen for its data, see `training.protocol`.",
    )
    _given: dict[str, Any] | None = PrivateAttr(None)

    @model_validator(mode="wrap")
    @classmethod
    def _fill_by_protocol(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, Mapping):
            return validate(values)
        given = plain_values(values)
        protocol = protocol_of(given)
        if protocol not in {"auto", "published"}:
            return validate(values)
        recipe = validate(fill(given, protocol))
        recipe._given = given  # noqa: SLF001 - it is of this class
        return recipe

    @model_validator(mode="after")
    def _check_protocol(self) -> Self:
        training = self.training
        if training.protocol == "auto" and self.version == 1:
            raise ValueError("training.protocol=auto needs version: 2, but the recipe has version 1; add version: 2")
        if training.protocol == "published":
            for path, value, expected in (
                ("rare_as_unseen.share", training.rare_as_unseen.share, 0.0),
                ("calibration.kind", training.calibration.kind, "none"),
                ("output_bias", training.output_bias.replace("auto", "zero"), "zero"),
            ):
                if value != expected:
                    raise ValueError(
                        f"training.protocol=published goes with training.{path}={expected}, but {value} was given; "
                        "leave one of the two out"
                    )
        return self

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
    def chooses(self) -> bool:
        """Whether settings that the recipe leaves out are chosen for its data."""
        return self.version == 2 and self.training.protocol != "published"  # noqa: PLR2004 - the version

    @property
    def given(self) -> dict[str, Any]:
        """The values that the recipe was read from; all of its settings where nothing depends on what is left out."""
        return self.model_dump(mode="json") if self._given is None else copy.deepcopy(self._given)

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

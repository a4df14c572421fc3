"""Settings of training; the defaults are the protocol of the published results."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from rankelastor.config.averaged_weights import AveragedWeightsSettings
from rankelastor.config.base import Settings
from rankelastor.config.calibration import CalibrationSettings
from rankelastor.config.checkpoint import CheckpointSettings
from rankelastor.config.distributed import DistributedSettings
from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.objective import CrossEntropyObjective, ObjectiveSettings
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.config.schedule import PlateauSchedule, ScheduleSettings
from rankelastor.config.short_paths import SHORT_PATHS, group_settings, restore_written_paths
from rankelastor.config.stopping import StoppingSettings


class RareAsUnseenSettings(Settings):
    """Replacement of rare values by out of vocabulary during training, so that the out-of-vocabulary row is trained.

    Each occurrence of a rare value is replaced at random. Evaluation and prediction replace nothing.

    NOTE[DIFF]: the published protocol replaces nothing, so that with ``min_count: 1`` an unseen value is scored with an
    untrained row. The defaults were chosen by benchmarks/unseen.py (docs/results.md);
    tests/training/test_rare_as_unseen.py tests that the row is trained.
    """

    share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Probability with which an occurrence of a rare value is replaced; 0 replaces none.",
    )
    max_count: PositiveInt = Field(1, description="Values that the train split holds at most this many times are rare.")


class UniformOrder(Settings):
    """Shuffle all rows uniformly in each epoch: for data that fit the page cache."""

    kind: Literal["uniform"] = "uniform"


class WindowOrder(Settings):
    """Shuffle blocks of neighbouring rows, then rows within windows of that order: for data larger than memory."""

    kind: Literal["window"]
    block_rows: PositiveInt = Field(8192, description="Number of neighbouring rows per block.")
    window_rows: PositiveInt = Field(1_000_000, description="Number of rows per window.")


def _check_steps_or_share(every: float | None) -> float | None:
    if every is not None and not (0 < every < 1 or (every >= 1 and every == int(every))):
        raise ValueError(
            "evaluate_every must be a whole number of steps, or a share of an epoch above 0 and below 1, but "
            f"{every} was given; try 0.25"
        )
    return every


OrderSettings = Annotated[UniformOrder | WindowOrder, Field(discriminator="kind")]
OutputBias = Literal["auto", "zero", "base_rate"]


class TrainingSettings(Settings):
    """The published protocol: Adam, L2 over all embedding rows, clipped gradients, a learning rate that drops.

    After each epoch the valid split is scored, and the weights of the best evaluation are kept. Settings of a group may
    also be written without the group, ``training.patience`` for ``training.stopping.patience``, as in version 0.1.0.

    Example:
        >>> TrainingSettings.model_validate({"patience": 3}).stopping.patience
        3
    """

    also_known: ClassVar[tuple[str, ...]] = tuple(short.rpartition(".")[2] for short in SHORT_PATHS)

    protocol: Annotated[
        Literal["auto", "published"] | None,
        Field(
            description="How settings are chosen that a recipe leaves out: `auto` looks at the rows, fields and ids of "
            "its data, which `rankelastor describe` shows with reasons; `published` is the protocol of the published "
            "figures, in which no rare value is replaced by out of vocabulary, the output bias starts at 0 and nothing "
            "is calibrated; null is "
            "`auto` in a recipe of `version: 2`, and the defaults listed here in one of version 1."
        ),
    ] = None
    seed: int = Field(
        1, ge=0, lt=2**63, description="Seed of the initial weights, the order of the rows, and the dropout masks."
    )
    epochs: PositiveInt = Field(
        100, description="Largest number of passes over the train split; training usually stops earlier by itself."
    )
    batch_size: PositiveInt = Field(4096, description="Number of examples per step, of all processes together.")
    evaluation_batch_size: PositiveInt = Field(
        8192, description="Number of examples scored at a time in evaluation and prediction."
    )
    optimiser: OptimiserSettings = Field(OptimiserSettings(), description="Learning rate, penalty and clipping.")
    schedule: Annotated[ScheduleSettings, Field(description="How the learning rate rises and falls.")] = (
        PlateauSchedule()
    )
    averaged_weights: AveragedWeightsSettings | None = Field(
        None,
        description="A running average of the weights (EMA), which is evaluated and kept in their place, as in "
        "`{decay: 0.999}`; null keeps none.",
    )
    evaluate_every: Annotated[
        int | float | None,
        AfterValidator(_check_steps_or_share),
        Field(
            description="How often the valid split is scored within an epoch: a whole number counts steps, a number "
            "below 1 is a share of an epoch, as in 0.25; null scores after each epoch alone. The end of an epoch is "
            "always scored, and `training.stopping` counts all of these evaluations."
        ),
    ] = None
    stopping: StoppingSettings = Field(
        StoppingSettings(), description="When the learning rate falls, and when the run ends."
    )
    execution: ExecutionSettings = Field(
        ExecutionSettings(), description="Device, precision, and what saves time and memory."
    )
    distributed: DistributedSettings = Field(
        DistributedSettings(), description="How several processes share a training, if several are started."
    )
    order: OrderSettings = Field(UniformOrder(), description="How each epoch shuffles the rows.")
    rare_as_unseen: RareAsUnseenSettings = Field(
        RareAsUnseenSettings(), description="How the out-of-vocabulary row of each field is trained."
    )
    output_bias: Annotated[
        OutputBias,
        Field(
            description="Where the bias of the logits starts: base_rate is the logit of the label rate of train, zero "
            "is 0; auto is zero, since base_rate was not measured to be better (docs/log.md)."
        ),
    ] = "auto"
    positive_weight: Annotated[
        PositiveFloat,
        Field(
            description="Factor of the loss of rows with label 1. Its logarithm is subtracted from the logits in "
            "evaluation and prediction, so that probabilities stay those of the data."
        ),
    ] = 1.0
    objective: Annotated[ObjectiveSettings, Field(description="What training minimises.")] = CrossEntropyObjective()
    task_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="Weight of each task's loss by the name of its label; tasks that are not named have 1."
    )
    negatives_kept: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Share of the train rows with label 0 that each epoch draws anew and learns from. Its "
            "logarithm is added to the logits in evaluation and prediction. It needs a single label.",
        ),
    ] = 1.0
    train_share: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Share of the rows of train that training learns from, to see what more data would bring: the "
            "same rows in every epoch and for every seed, and a smaller share is a part of a larger one. Vocabularies "
            "stay those of all rows, since prepared data are shared.",
        ),
    ] = 1.0
    calibration: CalibrationSettings = Field(
        CalibrationSettings(), description="Calibration of the probabilities by the valid split, when training ends."
    )
    baseline: Annotated[
        bool,
        Field(
            description="Whether logistic regression is trained on a sample of train and compared with the ranker on "
            "the same valid rows."
        ),
    ] = True
    checkpoint: CheckpointSettings = Field(
        CheckpointSettings(), description="When the state of the training is written, so that it can be resumed."
    )
    on_nan: Annotated[
        Literal["stop", "skip"],
        Field(
            description="What happens at a step whose loss or gradient is NaN or infinite: stop ends the run and keeps "
            "the last good weights, skip leaves the step out and counts it. On CUDA only the loss of each epoch is "
            "looked at, and the run stops."
        ),
    ] = "stop"

    @model_validator(mode="after")
    def _one_sample_of_the_rows(self) -> Self:
        if self.train_share < 1 and (self.negatives_kept < 1 or self.objective.within_groups):
            other = "negatives_kept" if self.negatives_kept < 1 else f"objective={self.objective.kind}"
            raise ValueError(
                f"train_share must be 1 with {other}, which chooses the rows of an epoch itself, but "
                f"{self.train_share} was given; leave one of the two out"
            )
        return self

    @model_validator(mode="after")
    def _rules_of_sharded_rows(self) -> Self:
        """Refuse what TorchRec does not do with rows; a rule is not replaced, since rates of rules differ."""
        if not self.distributed.is_sharded:
            return self
        if self.optimiser.embedding_rule != "rowwise_adagrad":
            raise ValueError(
                "optimiser.embedding_rule must be rowwise_adagrad with distributed.embedding=sharded, but "
                f"{self.optimiser.embedding_rule} was given: TorchRec has no Adam for tables on CPUs, and its rate "
                "would not do for Adagrad; try optimiser.embedding_rule=rowwise_adagrad with "
                "optimiser.embedding_learning_rate=0.02"
            )
        if self.averaged_weights is not None:
            raise ValueError(
                "averaged_weights must be null with distributed.embedding=sharded, but a decay of "
                f"{self.averaged_weights.decay} was given: averages of sharded rows are not kept; leave it out"
            )
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _take_short_paths(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, Mapping):
            return validate(values)
        grouped, moved = group_settings(values)
        try:
            return validate(grouped)
        except ValidationError as error:
            raise restore_written_paths(error, moved) from None

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Allow the short path of each setting in the JSON schema, too."""
        described = handler(schema)
        properties = handler.resolve_ref_schema(described)["properties"]
        for full in SHORT_PATHS.values():
            _, group, key = full.split(".")
            properties[key] = handler.resolve_ref_schema(properties[group])["properties"][key]
        return described

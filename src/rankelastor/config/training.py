"""Settings of training; the defaults are the protocol of the published figures."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from rankelastor.config.base import Settings
from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.config.short_paths import SHORT_PATHS, into_groups, with_written_paths
from rankelastor.config.stopping import StoppingSettings


class RareAsUnseenSettings(Settings):
    """Rare values that stand in for unseen ones while training, so that the out-of-vocabulary row learns.

    Each time a value is met that the train split holds at most ``max_count`` times, it is replaced by out of
    vocabulary with probability ``share``; 0 replaces nothing. Evaluation and prediction replace nothing.

    NOTE[DIFF]: the published protocol replaces nothing, so that with ``min_count: 1`` an unseen value is scored with a
    row that never learned. The defaults were chosen by benchmarks/unseen.py (docs/results.md);
    tests/training/test_rare_as_unseen.py shows that the row learns.
    """

    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    max_count: PositiveInt = 1


class UniformOrder(Settings):
    """Each epoch is a uniform order of all rows: for data that fit the page cache."""

    kind: Literal["uniform"] = "uniform"


class WindowOrder(Settings):
    """Blocks of neighbouring rows are shuffled, then rows within windows of that line: for data larger than memory.

    ``block_rows`` neighbours move together; ``window_rows`` rows are shuffled with each other.
    """

    kind: Literal["window"]
    block_rows: PositiveInt = 8192
    window_rows: PositiveInt = 1_000_000


OrderSettings = Annotated[UniformOrder | WindowOrder, Field(discriminator="kind")]


class TrainingSettings(Settings):
    """The published protocol: Adam, embedding L2 over all rows, clipped gradients, a learning rate that drops.

    After each epoch the valid split is scored, and the weights of the best evaluation are kept. Settings of a group
    may also be written without it, ``training.patience`` for ``training.stopping.patience``, as in version 0.1.0.

    ``optimiser``, ``stopping`` and ``execution``: see ``config/optimiser.py`` and its neighbours.
    ``rare_as_unseen`` gives the out-of-vocabulary row of each field examples to learn from.
    ``order``: how each epoch shuffles the rows.
    ``evaluation_batch_size``: examples scored at a time.

    Example:
        >>> TrainingSettings.model_validate({"patience": 3}).stopping.patience
        3
    """

    also_known: ClassVar[tuple[str, ...]] = tuple(short.rpartition(".")[2] for short in SHORT_PATHS)

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    epochs: PositiveInt = 100
    batch_size: PositiveInt = 4096
    evaluation_batch_size: PositiveInt = 8192
    optimiser: OptimiserSettings = OptimiserSettings()
    stopping: StoppingSettings = StoppingSettings()
    execution: ExecutionSettings = ExecutionSettings()
    order: OrderSettings = UniformOrder()
    rare_as_unseen: RareAsUnseenSettings = RareAsUnseenSettings()

    @model_validator(mode="wrap")
    @classmethod
    def _take_short_paths(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, Mapping):
            return validate(values)
        grouped, moved = into_groups(values)
        try:
            return validate(grouped)
        except ValidationError as error:
            raise with_written_paths(error, moved) from None

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Allow the short form of each setting beside its group."""
        described = handler(schema)
        properties = handler.resolve_ref_schema(described)["properties"]
        for full in SHORT_PATHS.values():
            _, group, key = full.split(".")
            properties[key] = handler.resolve_ref_schema(properties[group])["properties"][key]
        return described

"""The setting ``model.tasks``: how the tasks of several labels share any model, by ``kind``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator
from torch import nn

from rankelastor.config.base import Settings, one_of
from rankelastor.nn.sizes import SizesDoNotFit
from rankelastor.nn.tasks.gate import ExpertGate
from rankelastor.nn.tasks.mmoe import MultiGateExperts
from rankelastor.nn.tasks.ple import ExpertLayer, ExtractionGates, ProgressiveExtraction
from rankelastor.nn.tasks.product import TaskProduct, WithProducts
from rankelastor.nn.tasks.shared_bottom import SeparateNetworks, SharedBottom
from rankelastor.nn.tasks.towers import TaskTowers
from rankelastor.schema import FeatureSchema

MakeNetwork = Callable[[], nn.Module]
"""Makes a network of the model with ``num_outputs`` outputs, with initial values of its own."""


class TaskSharing(Settings):
    """How the tasks share a model."""

    kind: str
    after: dict[str, str] = Field(
        {},
        description="Tasks that follow others, as `{buy: click}`: the label of the first is 1 only where that of the "
        "second is. Its probability is then the product p(click) p(buy given click).",
    )

    @property
    @abstractmethod
    def num_outputs(self) -> int:
        """Number of outputs of each network of the model."""

    @abstractmethod
    def network(self, make: MakeNetwork, *, flat_dim: int, num_tasks: int) -> nn.Module:
        """Make the network of all tasks, without their products.

        Args:
            make: makes the network of the model.
            flat_dim: width of the flat field embeddings.
            num_tasks: number of tasks.
        """

    def check(self, tasks: Sequence[str]) -> None:
        """Check that there are several tasks, and that ``after`` names them and leads to an end.

        Raises:
            SizesDoNotFit: it does not.
        """
        if len(tasks) == 1:
            raise SizesDoNotFit(
                f"tasks needs several labels, but the data have one, {tasks[0]}; try data.labels, or leave "
                "model.tasks out"
            )
        for follower, before in self.after.items():
            for name in (follower, before):
                if name not in tasks:
                    raise SizesDoNotFit(
                        f"tasks.after must name tasks of {list(tasks)}, but {name!r} was given; add a label of this "
                        "name to data.labels"
                    )
            seen, at = {follower}, before
            while at in self.after and at not in seen:
                seen.add(at)
                at = self.after[at]
            if at in seen:
                raise SizesDoNotFit(f"tasks.after must lead from each task to a first one, but {at} leads to itself")


class WithTowers(TaskSharing):
    """A representation of an example, and a tower for each task."""

    width: PositiveInt = Field(64, description="Width of what the network of the model gives each tower.")
    tower_dims: Annotated[tuple[PositiveInt, ...], Field(description="Hidden widths of each task's tower.")] = ()

    @property
    def num_outputs(self) -> int:
        """Number of outputs of each network: the width of a representation."""
        return self.width

    def towers(self, num_tasks: int) -> TaskTowers:
        """Make the towers, with initial values."""
        return TaskTowers(num_tasks=num_tasks, in_dim=self.width, hidden_dims=self.tower_dims)


class SharedBottomSettings(WithTowers):
    """Shared bottom: one network with ``width`` outputs, and a tower for each task."""

    kind: Literal["shared_bottom"]

    def network(self, make: MakeNetwork, *, flat_dim: int, num_tasks: int) -> SharedBottom:  # noqa: ARG002 - no gate
        """Make the network and the towers."""
        return SharedBottom(make(), self.towers(num_tasks))


class MmoeSettings(WithTowers):
    """MMoE: ``num_experts`` networks with ``width`` outputs, mixed by a gate for each task."""

    kind: Literal["mmoe"]
    num_experts: PositiveInt = Field(4, description="Number of experts, each a network of the model.")

    def network(self, make: MakeNetwork, *, flat_dim: int, num_tasks: int) -> MultiGateExperts:
        """Make the experts, the gates and the towers."""
        experts = [make() for _ in range(self.num_experts)]
        gates = [ExpertGate(in_dim=flat_dim, num_experts=self.num_experts) for _ in range(num_tasks)]
        return MultiGateExperts(experts, gates, self.towers(num_tasks))


class PleSettings(WithTowers):
    """PLE: shared experts and experts of each task's own, in ``num_layers`` layers; the first ones are networks."""

    kind: Literal["ple"]
    num_shared_experts: PositiveInt = Field(2, description="Number of shared experts in each layer.")
    num_task_experts: PositiveInt = Field(1, description="Number of experts of each task in each layer.")
    num_layers: PositiveInt = Field(1, description="Number of layers of experts.")

    def network(self, make: MakeNetwork, *, flat_dim: int, num_tasks: int) -> ProgressiveExtraction:
        """Make the experts, the gates and the towers."""
        counts = [*[self.num_task_experts] * num_tasks, self.num_shared_experts]
        return ProgressiveExtraction(
            own=[[make() for _ in range(self.num_task_experts)] for _ in range(num_tasks)],
            shared=[make() for _ in range(self.num_shared_experts)],
            gates=[
                ExtractionGates(
                    in_dim=self.width if layer else flat_dim,
                    num_tasks=num_tasks,
                    num_own=self.num_task_experts,
                    num_shared=self.num_shared_experts,
                    is_last=layer == self.num_layers - 1,
                )
                for layer in range(self.num_layers)
            ],
            later=[
                [ExpertLayer(num_experts=count, dim=self.width) for count in counts] for _ in range(self.num_layers - 1)
            ],
            towers=self.towers(num_tasks),
        )


class EsmmSettings(TaskSharing):
    """ESMM: a network for each task on the same embeddings; a task that follows another has the product."""

    kind: Literal["esmm"]

    @model_validator(mode="after")
    def _check_after(self) -> Self:
        if not self.after:
            raise ValueError("after must name which task follows which, but is empty; try after={buy: click}")
        return self

    @property
    def num_outputs(self) -> int:
        """One: the logit of a task."""
        return 1

    def network(self, make: MakeNetwork, *, flat_dim: int, num_tasks: int) -> SeparateNetworks:  # noqa: ARG002 - no gate
        """Make the networks."""
        return SeparateNetworks([make() for _ in range(num_tasks)])


TASK_SHARINGS = (SharedBottomSettings, MmoeSettings, PleSettings, EsmmSettings)

if TYPE_CHECKING:
    TaskSettings = TaskSharing
else:
    TaskSettings = one_of(TASK_SHARINGS)


def network_of_tasks(
    settings: TaskSharing, schema: FeatureSchema, make: Callable[[FeatureSchema], nn.Module], *, embedding_dim: int
) -> nn.Module:
    """Make the network of all tasks from networks of the model.

    Args:
        settings: how the tasks share the model.
        schema: features and tasks.
        make: makes the network of the model for features and tasks; one "task" is made for each output.
        embedding_dim: width of the rows of the embedding table.

    Raises:
        SizesDoNotFit: there is one task, or ``after`` names another.
    """
    settings.check(schema.tasks)
    network = settings.network(
        lambda: make(schema_of_outputs(settings, schema)),
        flat_dim=schema.num_fields * embedding_dim,
        num_tasks=len(schema.tasks),
    )
    if not settings.after:
        return network
    places = {task: place for place, task in enumerate(schema.tasks)}
    return WithProducts(network, TaskProduct({places[task]: places[before] for task, before in settings.after.items()}))


def schema_of_outputs(settings: TaskSharing | None, schema: FeatureSchema) -> FeatureSchema:
    """Describe what each network of the model computes: the features as they are, and a "task" for each output."""
    if settings is None:
        return schema
    return replace(schema, tasks=tuple(f"output{index}" for index in range(settings.num_outputs)))
